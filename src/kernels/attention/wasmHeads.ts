/** Heads on the wasm backend: taken out of the channels as matrices of their own, and put back. Layout, no arithmetic. */
import * as tf from '@tensorflow/tfjs-core';
import { changeOnHeap, runOnHeap } from '../heap';

/** A head of a sample. */
export interface Head {
  readonly sample: number;
  readonly head: number;
}

export function* headsOf(batch: number, heads: number): Generator<Head> {
  for (let sample = 0; sample < batch; sample++) {
    for (let head = 0; head < heads; head++) yield { sample, head };
  }
}

/** [B, NQ, C] for the heads' results, all zero. */
export function allocateMixed(shape: [number, number, number]): tf.Tensor3D {
  return runOnHeap([], shape, (heap, output) => {
    heap.fill(0, output, output + tf.util.sizeFromShape(shape));
  });
}

/** x [B, N, C] -> x[sample, first … first + count, head], [count, d]. */
export function takeHead(
  x: tf.Tensor3D,
  heads: number,
  { sample, head }: Head,
  first: number,
  count: number,
): tf.Tensor2D {
  const [, rows, width] = x.shape;
  const size = width / heads;
  return runOnHeap([x], [count, size], (heap, output, input) => {
    const start = input + (sample * rows + first) * width + head * size;
    for (let n = 0; n < count; n++) {
      const source = start + n * width;
      heap.copyWithin(output + n * size, source, source + size);
    }
  });
}

/** Queries of a head, scaled by 1/√d, [count, d]. */
export function takeQuery(
  query: tf.Tensor3D,
  heads: number,
  head: Head,
  first: number,
  count: number,
): tf.Tensor2D {
  return tf.tidy(() =>
    tf.mul(takeHead(query, heads, head, first, count), 1 / Math.sqrt(query.shape[2] / heads)),
  );
}

/** part [n, d] becomes mixed[sample, first … first + n, head], but for queries that see nothing. */
export function putHead(
  mixed: tf.Tensor3D,
  part: tf.Tensor2D,
  { sample, head }: Head,
  first: number,
  sees: (query: number) => boolean,
): void {
  const [, queries, width] = mixed.shape;
  const [count, size] = part.shape;
  changeOnHeap([mixed, part], (heap, output, input) => {
    const start = output + (sample * queries + first) * width + head * size;
    for (let n = 0; n < count; n++) {
      if (sees(n)) heap.copyWithin(start + n * width, input + n * size, input + (n + 1) * size);
    }
  });
}
