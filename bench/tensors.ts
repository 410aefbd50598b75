/** Contenders that are made of tfjs tensors: their weights' bytes, and the most bytes that one run needs. */
import * as tf from '@tensorflow/tfjs-core';
import { peakBytes } from '../src/pipeline/peakBytes';
import type { Opened } from './contest';
import type { Runner } from './measure';

export interface TensorWork extends Runner {
  /** Where `run` watches its memory itself: the most bytes of the last run. */
  readonly watchedBytes?: () => number;
  readonly note?: string;
  readonly growth?: Opened['growth'];
  readonly dispose: () => void;
}

/** Opens by `open`, which uploads the weights; the first run's memory is watched. */
export async function openTensors(open: () => TensorWork | Promise<TensorWork>): Promise<Opened> {
  const before = tf.memory().numBytes;
  const work = await open();
  const weightBytes = tf.memory().numBytes - before;
  let most: number | null = null;
  return {
    ...work,
    weightBytes,
    run: async () => {
      if (most !== null || work.watchedBytes) return work.run();
      const { result, bytes } = await peakBytes(work.run);
      most = bytes;
      return result;
    },
    activationBytes: work.watchedBytes ?? (() => most),
  };
}

/** Values of a tensor, which is freed. */
export async function valuesOf(tensor: tf.Tensor): Promise<Float32Array> {
  try {
    return await tensor.data<'float32'>();
  } finally {
    tensor.dispose();
  }
}

export const disposeAll = (parameters: object): void => tf.dispose(parameters as tf.TensorContainerObject);
