/**
 * The native binding: the one file that loads `../native.js`.
 *
 * It promises the types that the rest of `lib/` relies on, and, when no binary fits this machine, an error that names the
 * platform package that is missing and what to do. It decides nothing and turns no failure into an exception (see
 * `errors.ts`).
 */
import type * as Generated from '../native.js';

/** A failure as it crosses from Rust: a value, never an exception. */
export type Failure = Generated.Failure;

export type NativeCollection = Generated.NativeCollection;
export type NativeStore = Generated.NativeStore;
export type NativeView = Generated.NativeView;
export type CommitRefusal = Generated.CommitRefusal;
export type NativePlan = Generated.NativePlan;
export type NativeJob = Generated.NativeJob;
export type NativeProgress = Generated.NativeProgress;
export type EntriesPage = Generated.EntriesPage;
export type NativeSaveReport = Generated.SaveReport;
export type LoadRequest = Generated.LoadRequest;
export type KnownChain = Generated.KnownChain;
export type NativeChain = Generated.NativeChain;
export type NativeDiff = Generated.NativeDiff;

/** The name of the package that holds the binary of this machine. */
function platformPackage(): string {
  const { platform, arch } = process;
  const abi = platform === 'linux' ? (isMusl() ? '-musl' : '-gnu') : platform === 'win32' ? '-msvc' : '';
  return `ruvector-persistence-${platform}-${arch}${abi}`;
}

/** Whether the C library is musl: there a process report names no glibc version. */
function isMusl(): boolean {
  const report = process.report?.getReport() as { header?: { glibcVersionRuntime?: string } } | undefined;
  return report?.header !== undefined && report.header.glibcVersionRuntime === undefined;
}

function load(): typeof Generated {
  try {
    return require('../native.js') as typeof Generated;
  } catch (cause) {
    const name = platformPackage();
    const error = new Error(
      `ruvector-persistence has no native binary for this machine: the package "${name}" is missing or cannot be loaded. ` +
        `Install it (npm install ${name}; check that optional dependencies are not switched off), or build it from ` +
        'source with a Rust toolchain and a C compiler: npm run build. ' +
        `The loader said: ${cause instanceof Error ? cause.message : String(cause)}`,
      { cause },
    );
    throw Object.assign(error, { code: 'ERR_NATIVE_MISSING' });
  }
}

/** The binding, loaded once. */
export const native: typeof Generated = load();
