/** One operation on a store: the request as JSON, cancellation of the call, the answer as an object. */
import type { NativeStore } from '../native';
import { Call } from '../progress';

/** Does an operation of the store. Members that are undefined are not in the request. */
export type Operate = <T>(operation: string, request: object, signal?: AbortSignal) => Promise<T>;

export function operateOn(store: NativeStore): Operate {
  return async <T>(operation: string, request: object, signal?: AbortSignal): Promise<T> => {
    const call = new Call({ signal });
    try {
      return JSON.parse(await call.native((job) => store.operate(operation, JSON.stringify(request), job))) as T;
    } finally {
      call.end();
    }
  };
}
