/**
 * Metadata as JSON text, strictly: what has no JSON form is refused by place ("$.a.b"), never dropped or changed.
 *
 * Promises: the value is read once (every getter and `toJSON` is called once); `JSON.parse` of the text gives it back,
 * negative zero and the key `__proto__` included. Members that are undefined are left out, and an object with `toJSON`
 * (a Date) becomes what that gives. It does not say what a database does with metadata.
 */
import { types } from 'node:util';
import type { PersistenceErrorCode } from '../index';
import { kindOf } from './describe';
import { PersistenceError } from './errors';

const DEPTH_MAX = 128;
const KEYS_MAX = 100_000;
const BYTES_MAX = 16 * 1024 * 1024;

/** Why a value cannot be kept, and where it stands. */
class Refusal extends Error {
  constructor(readonly code: PersistenceErrorCode, message: string) {
    super(message);
  }
}

interface Walk {
  /** Objects around the value, outermost first; their keys stand in `place`. */
  readonly around: object[];
  readonly place: (string | number)[];
  keys: number;
  chars: number;
}

/** The JSON text of an object; null when there is no metadata (undefined or null). `of` names its owner, for the error. */
export function metadataText(value: unknown, of: () => string): string | null {
  if (value === undefined || value === null) return null;
  const walk: Walk = { around: [], place: [], keys: 0, chars: 0 };
  try {
    const text = write(value, '', walk);
    if (text === undefined || !text.startsWith('{')) throw new Refusal('ERR_METADATA', `is ${kindOf(value)}, where an object is due`);
    if (text.length > BYTES_MAX / 3 && Buffer.byteLength(text) > BYTES_MAX) throw tooLong();
    return text;
  } catch (thrown) {
    const where = `Metadata of ${of()}`;
    if (!(thrown instanceof Refusal)) {
      throw new PersistenceError('ERR_METADATA', `${where} cannot be read at ${show(walk.place)}`, { cause: thrown });
    }
    const at = thrown.code === 'ERR_LIMIT' ? '' : ` at ${show(walk.place)}`;
    throw new PersistenceError(thrown.code, `${where} ${thrown.message}${at}`);
  }
}

function show(place: readonly (string | number)[]): string {
  let text = '$';
  for (const step of place.slice(0, 20)) {
    if (typeof step === 'number') text += `[${step}]`;
    else text += /^[A-Za-z_$][\w$]*$/.test(step) ? `.${step}` : `[${JSON.stringify(step.slice(0, 80))}]`;
  }
  return text;
}

function tooLong(): Refusal {
  return new Refusal('ERR_LIMIT', `is longer than the limit of ${BYTES_MAX} bytes of JSON text`);
}

/** What stands in quotes as it is, and is ASCII; JSON.stringify says the same of everything else, and more slowly. */
const PLAIN = /^[ !#-[\]-~]*$/;

function quoted(text: string): string {
  return text.length < 64 && PLAIN.test(text) ? `"${text}"` : JSON.stringify(text);
}

/** Keys in quotes: entries of one database have the same ones. */
const names = new Map<string, string>();
const NAMES_MAX = 1000;
const NAME_CHARS_MAX = 100;

function nameOf(key: string): string {
  const known = names.get(key);
  if (known !== undefined) return known;
  const name = quoted(key);
  if (key.length <= NAME_CHARS_MAX) {
    if (names.size >= NAMES_MAX) names.clear();
    names.set(key, name);
  }
  return name;
}

/** The text of one value; undefined when it is a member to be left out. */
function write(value: unknown, key: string, walk: Walk): string | undefined {
  switch (typeof value) {
    case 'string':
      walk.chars += value.length;
      if (walk.chars > BYTES_MAX) throw tooLong();
      return quoted(value);
    case 'number':
      if (!Number.isFinite(value)) throw new Refusal('ERR_METADATA', `holds ${value}, which JSON does not have,`);
      return value === 0 && Object.is(value, -0) ? '-0' : String(value);
    case 'boolean':
      return value ? 'true' : 'false';
    case 'undefined':
      return undefined;
    case 'object':
      return value === null ? 'null' : writeObject(value, key, walk);
    default:
      throw new Refusal('ERR_METADATA', `holds ${kindOf(value)}, which JSON does not have,`);
  }
}

function writeObject(value: object, key: string, walk: Walk): string | undefined {
  if (walk.around.includes(value)) throw new Refusal('ERR_METADATA', 'is circular');
  if (ArrayBuffer.isView(value)) throw new Refusal('ERR_METADATA', `holds ${kindOf(value)}, which JSON does not have,`);
  const toJSON: unknown = (value as { toJSON?: unknown }).toJSON;
  if (typeof toJSON === 'function') {
    const plain: unknown = toJSON.call(value, key);
    // What toJSON gives is taken as it is: JSON does not ask it for toJSON again.
    return typeof plain === 'object' && plain !== null ? writeMembers(plain, walk) : write(plain, key, walk);
  }
  return writeMembers(value, walk);
}

function writeMembers(value: object, walk: Walk): string {
  if (walk.around.includes(value)) throw new Refusal('ERR_METADATA', 'is circular');
  if (walk.around.length >= DEPTH_MAX) throw new Refusal('ERR_LIMIT', `is nested deeper than the limit of ${DEPTH_MAX} levels`);
  walk.around.push(value);
  const text = Array.isArray(value) ? writeArray(value, walk) : writeRecord(value, walk);
  walk.around.pop();
  return text;
}

function writeArray(value: readonly unknown[], walk: Walk): string {
  count(walk, value.length);
  let text = '[';
  for (let index = 0; index < value.length; index++) {
    walk.place.push(index);
    const item = write(value[index], String(index), walk);
    if (item === undefined) throw new Refusal('ERR_METADATA', 'holds undefined in an array, which JSON does not have,');
    walk.place.pop();
    text += index === 0 ? item : `,${item}`;
  }
  return `${text}]`;
}

function writeRecord(value: object, walk: Walk): string {
  // Maps, Sets, Promises, Errors, boxed numbers and the like have no members that JSON would keep.
  if (Object.prototype.toString.call(value) !== '[object Object]' && !types.isProxy(value)) {
    throw new Refusal('ERR_METADATA', `holds ${kindOf(value)}, which JSON does not have,`);
  }
  const keys = Object.keys(value);
  count(walk, keys.length);
  let text = '';
  for (const key of keys) {
    walk.place.push(key);
    const member = write((value as Record<string, unknown>)[key], key, walk);
    walk.place.pop();
    if (member === undefined) continue;
    walk.chars += key.length;
    text += text === '' ? `${nameOf(key)}:${member}` : `,${nameOf(key)}:${member}`;
  }
  return `{${text}}`;
}

function count(walk: Walk, keys: number): void {
  walk.keys += keys;
  if (walk.keys > KEYS_MAX) throw new Refusal('ERR_LIMIT', `has more than the limit of ${KEYS_MAX} keys and items`);
}
