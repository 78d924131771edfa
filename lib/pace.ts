/**
 * Long work on the JavaScript thread in slices: nothing that uses a `Pace` keeps the event loop waiting for long.
 */
const SLICE_MS = 2;
const CHECK_EVERY = 16;

export const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));


export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

export class Pace {
  #steps = 0;
  #started = performance.now();

  /** Whether it is time to let others run; call `rest` then. */
  due(): boolean {
    return ++this.#steps % CHECK_EVERY === 0 && performance.now() - this.#started > SLICE_MS;
  }

  async rest(): Promise<void> {
    await turn();
    this.#started = performance.now();
  }
}
