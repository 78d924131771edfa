/** A promise whose end comes from elsewhere. */
/** A promise that is settled by others. */
export interface Promised {
  readonly promise: Promise<void>;
  resolve(value: Promise<void>): void;
  reject(error: Error): void;
}

export function later(): Promised {
  let [resolve, reject]: [Promised['resolve'], Promised['reject']] = [() => undefined, () => undefined];
  const promise = new Promise<void>((done, failed) => {
    resolve = done;
    reject = failed;
  });
  // Everybody who gets it handles it; nobody may have got it yet.
  promise.catch(() => undefined);
  return { promise, resolve, reject };
}
