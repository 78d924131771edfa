/**
 * `search`: the query checked and copied at call time, the hits as objects. What is near, and how it is found, is in
 * `src/search`.
 */
import type { SearchQuery, SearchResult } from '../../index';
import { copyVector, QUERY } from '../capture';
import { type Check, isBoolean, isInteger, readOptions } from '../checks';
import { kindOf } from '../describe';
import { PersistenceError, unwrap, wrongType, wrongValue } from '../errors';
import { metadataText } from '../metadata';
import type { NativeCollection } from '../native';

const K_DEFAULT = 10;
const K_MAX = 1_000_000;

interface Query {
  readonly vector: Float32Array;
  readonly k: number;
  readonly filter?: string;
  readonly threshold?: number;
  readonly vectors: boolean;
  readonly metadata: boolean;
}

const isThreshold: Check = (value, name) => {
  if (typeof value !== 'number') throw wrongType(`Option "${name}" must be a number, got ${kindOf(value)}`);
  if (!Number.isFinite(value)) throw wrongValue(`Option "${name}" must be a finite number, got ${value}`);
};

const exact: Check = (_value, name) => {
  throw new PersistenceError('ERR_UNSUPPORTED', `Option "${name}" of search tunes an approximate index; this search is exact, leave it out`);
};

const anything: Check = () => undefined;

const checks: Record<keyof SearchQuery | 'efSearch', Check> = {
  vector: anything, k: isInteger(1, K_MAX), filter: anything, threshold: isThreshold, includeVectors: isBoolean, includeMetadata: isBoolean, efSearch: exact,
};

/** Reads a query once. */
export function readQuery(given: unknown): Query {
  if (typeof given !== 'object' || given === null) throw wrongType(`search needs an object { vector, k }, got ${kindOf(given)}`);
  const { vector, k = K_DEFAULT, filter, threshold, includeVectors = false, includeMetadata = true } = readOptions<SearchQuery>(given, 'search', checks as never);
  const text = metadataText(filter, () => 'the filter of a search');
  return {
    vector: copyVector(vector, QUERY),
    k,
    vectors: includeVectors,
    metadata: includeMetadata,
    ...(text === null ? {} : { filter: text }),
    ...(threshold === undefined ? {} : { threshold }),
  };
}

export async function search(collection: NativeCollection, { vector, ...request }: Query): Promise<SearchResult[]> {
  const { ids, scores, vectors, metadata } = unwrap(await collection.search(vector, request));
  const dimension = vector.length;
  return ids.map((id, row) => {
    const hit: SearchResult = { id, score: scores[row]! };
    if (request.vectors) hit.vector = vectors.slice(row * dimension, (row + 1) * dimension);
    const text = metadata[row];
    if (text != null) hit.metadata = JSON.parse(text) as Record<string, any>;
    return hit;
  });
}
