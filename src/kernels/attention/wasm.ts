/**
 * Multi-head attention on the wasm backend. Its batched product is a plain loop, while a product of two matrices is
 * XNNPACK's, so each head becomes its own matrices, [NQ, d] and (transposed) [d, NK].
 */
import * as tf from '@tensorflow/tfjs-core';
import { runOnHeap } from '../heap';

/** query [B, NQ, C], key and value [B, NK, C] -> [B, NQ, C]. */
export function attentionOnWasm(
  query: tf.Tensor3D,
  key: tf.Tensor3D,
  value: tf.Tensor3D,
  heads: number,
): tf.Tensor3D {
  return tf.tidy(() => {
    const [batch, , width] = query.shape;
    const scaled = tf.mul(query, 1 / Math.sqrt(width / heads)) as tf.Tensor3D;
    const columns = tf.transpose(key, [0, 2, 1]); // [B, C, NK]
    const mixed: tf.Tensor2D[] = []; // [NQ, d], heads of sample 0 first
    for (let b = 0; b < batch; b++) {
      for (let h = 0; h < heads; h++) {
        mixed.push(
          tf.tidy(() => {
            const q = takeHead(scaled, b, h, heads); // [NQ, d]
            const k = takeRows(columns, b, h, heads); // [d, NK]
            return tf.matMul(tf.softmax(tf.matMul(q, k)), takeHead(value, b, h, heads));
          }),
        );
      }
    }
    return joinHeads(mixed, query.shape, heads);
  });
}

/** x [B, N, C] -> x[b, :, head], [N, d]. */
function takeHead(x: tf.Tensor3D, b: number, head: number, heads: number): tf.Tensor2D {
  const [, count, width] = x.shape;
  const size = width / heads;
  return runOnHeap([x], [count, size], (heap, output, input) => {
    const first = input + b * count * width + head * size;
    for (let n = 0; n < count; n++) {
      const source = first + n * width;
      heap.copyWithin(output + n * size, source, source + size);
    }
  });
}

/** x [B, C, N] -> x[b, head, :], [d, N]. */
function takeRows(x: tf.Tensor3D, b: number, head: number, heads: number): tf.Tensor2D {
  const [, width, count] = x.shape;
  const rows = width / heads;
  return runOnHeap([x], [rows, count], (heap, output, input) => {
    const first = input + (b * width + head * rows) * count;
    heap.copyWithin(output, first, first + rows * count);
  });
}

/** Matrices [N, d], head by head and sample by sample -> [B, N, C]. */
function joinHeads(
  parts: readonly tf.Tensor2D[],
  shape: [number, number, number],
  heads: number,
): tf.Tensor3D {
  const [, count, width] = shape;
  const size = width / heads;
  return runOnHeap(parts, shape, (heap, output, ...inputs) => {
    inputs.forEach((input, i) => {
      const first = output + Math.floor(i / heads) * count * width + (i % heads) * size;
      for (let n = 0; n < count; n++) {
        heap.copyWithin(first + n * width, input + n * size, input + (n + 1) * size);
      }
    });
  });
}
