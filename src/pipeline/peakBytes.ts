/**
 * How much memory a piece of work needs: the most bytes that tensors made in it held at one moment. Counted where
 * backends register data, so that what operations make and free inside themselves is seen, too, and views of the same
 * data count once. Not counted: what was there before, a backend's pools of freed buffers, and compiled pipelines.
 */
import * as tf from '@tensorflow/tfjs-core';

/** What backends keep of a tensor's data; `values` alone on cpu. */
interface Registered {
  readonly shape?: readonly number[];
  readonly dtype?: tf.DataType;
  readonly values?: ArrayLike<number> | null;
}

let measuring = false;

/** Runs `work`. On a GPU what tfjs's own operations use counts until they are submitted. @throws when called while another one runs */
export async function peakBytes<T>(work: () => Promise<T>): Promise<{ result: T; bytes: number }> {
  if (measuring) throw new Error('peakBytes: another measurement is under way; await it first.');
  measuring = true;
  const storage = tf.DataStorage.prototype as tf.DataStorage<Registered>;
  const { set, delete: remove } = storage;
  const held = new Map<object, number>();
  let [live, most] = [0, 0];
  const forget = (dataId: object): void => {
    live -= held.get(dataId) ?? 0;
    held.delete(dataId);
  };
  storage.set = function (dataId, value) {
    set.call(this, dataId, value);
    forget(dataId);
    held.set(dataId, bytesOf(value));
    live += bytesOf(value);
    most = Math.max(most, live);
  };
  storage.delete = function (dataId) {
    forget(dataId);
    return remove.call(this, dataId);
  };
  try {
    return { result: await work(), bytes: most };
  } finally {
    Object.assign(storage, { set, delete: remove });
    measuring = false;
  }
}

function bytesOf({ shape, dtype = 'float32', values }: Registered): number {
  const elements = shape ? tf.util.sizeFromShape([...shape]) : (values?.length ?? 0);
  return elements * tf.util.bytesPerElement(dtype);
}
