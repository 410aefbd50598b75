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
    const scale = 1 / Math.sqrt(width / heads);
    const mixed: tf.Tensor2D[] = []; // [NQ, d], heads of sample 0 first
    for (let b = 0; b < batch; b++) {
      for (let h = 0; h < heads; h++) {
        mixed.push(
          tf.tidy(() => {
            const q = takeHead(query, b, h, heads, scale); // [NQ, d]
            const k = takeHeadTransposed(key, b, h, heads); // [d, NK]
            return tf.matMul(tf.softmax(tf.matMul(q, k)), takeHead(value, b, h, heads, 1));
          }),
        );
      }
    }
    return joinHeads(mixed, query.shape, heads);
  });
}

/** x [B, N, C] -> scale · x[b, :, head], [N, d]. */
function takeHead(x: tf.Tensor3D, b: number, head: number, heads: number, scale: number): tf.Tensor2D {
  const [, count, width] = x.shape;
  const size = width / heads;
  return runOnHeap([x], [count, size], (heap, output, input) => {
    let target = output;
    for (let n = 0; n < count; n++) {
      const source = input + (b * count + n) * width + head * size;
      for (let i = 0; i < size; i++) heap[target++] = (heap[source + i] ?? 0) * scale;
    }
  });
}

/** x [B, N, C] -> x[b, :, head] transposed, [d, N]. */
function takeHeadTransposed(x: tf.Tensor3D, b: number, head: number, heads: number): tf.Tensor2D {
  const [, count, width] = x.shape;
  const size = width / heads;
  return runOnHeap([x], [size, count], (heap, output, input) => {
    for (let n = 0; n < count; n++) {
      const source = input + (b * count + n) * width + head * size;
      for (let i = 0; i < size; i++) heap[output + i * count + n] = heap[source + i] ?? 0;
    }
  });
}

/** Matrices [N, d], head by head and sample by sample -> [B, N, C]. */
function joinHeads(parts: readonly tf.Tensor2D[], shape: [number, number, number], heads: number): tf.Tensor3D {
  const [, count, width] = shape;
  const size = width / heads;
  return runOnHeap(parts, shape, (heap, output, ...inputs) => {
    inputs.forEach((input, i) => {
      const start = output + Math.floor(i / heads) * count * width + (i % heads) * size;
      let source = input;
      for (let n = 0; n < count; n++) {
        const target = start + n * width;
        for (let c = 0; c < size; c++) heap[target + c] = heap[source++] ?? 0;
      }
    });
  });
}
