/** Where the file of a ruvector database may be. Which of the files is its, is decided elsewhere. */
import { isFailure } from './errors';
import { native } from './native';
import type { Settings } from './options';

/** The option `databasePath`, or the ruvector files that this process holds open, as far as the system tells. */
export async function ruvectorFiles({ databasePath }: Settings): Promise<string[]> {
  if (databasePath !== undefined) return [databasePath];
  const files = await native.ruvectorFiles();
  // A system that does not tell leaves the other ways of adoption.
  return isFailure(files) ? [] : files;
}
