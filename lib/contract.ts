/**
 * The proof, at compile time, that the implementation fits the hand-written contract in index.d.ts.
 * It has no code that runs. A member, a parameter or a result that differs, and an export that is missing or too many,
 * fails the type check here.
 */
import type * as Contract from '../index';
import type * as Implementation from './index';

type Fits<Actual extends Expected, Expected> = [Actual, Expected];
type SameNames<A, B> = [keyof A, keyof B] extends [keyof B, keyof A] ? true : never;

/** Every value is there, under its name, and can be used as promised. */
export type Exports = Fits<typeof Implementation, typeof Contract>;
/** Nothing is exported that is not promised, and no member is public that is not. */
export type Names = [
  SameNames<typeof Implementation, typeof Contract>,
  SameNames<Implementation.DatabasePersistence, Contract.DatabasePersistence>,
  SameNames<Implementation.VectorDB, Contract.VectorDB>,
  SameNames<Implementation.VectorStore, Contract.VectorStore>,
];

const complete: Names = [true, true, true, true];
void complete;
