/**
 * What a collection says of itself, with the names and units of the documents: sizes in bytes, and beside them the
 * twins in MB and GB (1024 based) and in percent that the documents read.
 */
import type { CheckpointReport, CompactionReport, CompactOptions, MmapRegion, MmapStats, RecoveryReport, VectorStatistics, WalStatus } from '../../index';
import { isBoolean, readOptions } from '../checks';
import { kindOf } from '../describe';
import { unwrap, wrongType, wrongValue } from '../errors';
import type { NativeCollection } from '../native';
import { isShare, share } from './options';

const MB = 2 ** 20;
const GB = 2 ** 30;
/** The share of dead rows from which on a compaction on demand rewrites a segment. */
const SHARE_DEFAULT = 0.2;

interface NativeReport {
  lsn: number;
  bytesBefore: number;
  bytesAfter: number;
  entries: number;
  removed: number;
  segments: number;
}

type NativeStatistics = Omit<VectorStatistics, 'diskUsageMB' | 'fragmentationPercent' | 'wal'> & { wal: Omit<WalStatus, 'totalSizeMB'> };
type NativeMmap = Omit<MmapStats, 'mappedSizeGB' | 'residentSizeGB' | 'cacheHitRatePercent'>;

export async function statistics(collection: NativeCollection): Promise<VectorStatistics> {
  const found = JSON.parse(unwrap(await collection.statistics())) as NativeStatistics;
  const { diskUsage, fragmentation, wal, ...rest } = found;
  return {
    ...rest, diskUsage, diskUsageMB: diskUsage / MB, fragmentation, fragmentationPercent: fragmentation * 100,
    wal: { ...wal, totalSizeMB: wal.totalSize / MB },
  };
}

export async function mmapStats(collection: NativeCollection): Promise<MmapStats> {
  const found = JSON.parse(unwrap(await collection.mmapStatus())) as NativeMmap;
  const { mappedSize, residentSize, cacheHitRate } = found;
  return { ...found, mappedSizeGB: mappedSize / GB, residentSizeGB: residentSize === null ? null : residentSize / GB, cacheHitRatePercent: cacheHitRate * 100 };
}

export function recoveryOf(collection: NativeCollection): RecoveryReport {
  return JSON.parse(unwrap(collection.recovery())) as RecoveryReport;
}

export async function checkpoint(collection: NativeCollection): Promise<CheckpointReport> {
  const { lsn, entries, segments } = JSON.parse(unwrap(await collection.checkpoint())) as NativeReport;
  return { lsn, entries, segments };
}

/** What `compact` rewrites: segments above this share of dead rows, all when undefined. */
export function readCompact(given: unknown): number | undefined {
  const { threshold, aggressive = false, vacuum = false } = readOptions<CompactOptions>(given, 'compact', { threshold: isShare, aggressive: isBoolean, vacuum: isBoolean });
  if (threshold !== undefined && (aggressive || vacuum)) {
    throw wrongType(`Options "threshold" and "${aggressive ? 'aggressive' : 'vacuum'}" of compact contradict each other: that one takes every dead row`);
  }
  if (aggressive) return undefined;
  return vacuum ? 0 : threshold === undefined ? SHARE_DEFAULT : share(threshold, 'threshold');
}

export async function compact(collection: NativeCollection, above: number | undefined): Promise<CompactionReport> {
  const started = performance.now();
  // What the memtable holds becomes a segment first, so that the sizes before and after are of the same entries.
  unwrap(await collection.checkpoint());
  const report = JSON.parse(unwrap(await collection.compact(above))) as NativeReport;
  const { bytesBefore, bytesAfter, lsn, entries, removed, segments } = report;
  const reclaimed = bytesBefore - bytesAfter;
  return {
    sizeBefore: bytesBefore / MB, sizeAfter: bytesAfter / MB, reclaimedMB: reclaimed / MB, durationMs: performance.now() - started,
    sizeBeforeBytes: bytesBefore, sizeAfterBytes: bytesAfter, reclaimedBytes: reclaimed, lsn, entries, removed, segments,
  };
}

/** Regions as the native side takes them. */
export function readRegions(given: unknown): number[] {
  if (!Array.isArray(given)) throw wrongType(`The regions must be an array such as mmapStats().hotRegions, got ${kindOf(given)}`);
  return (given as MmapRegion[]).flatMap((region) => {
    const numbers = [region?.segment, region?.offset, region?.length];
    for (const number of numbers) {
      if (typeof number !== 'number') throw wrongType(`A region must be an object { segment, offset, length } of numbers, got ${kindOf(region)}`);
      if (!Number.isSafeInteger(number) || number < 0) throw wrongValue(`The numbers of a region must be whole and from 0 on, got ${number}`);
    }
    return numbers;
  });
}
