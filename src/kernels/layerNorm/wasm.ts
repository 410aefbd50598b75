/** Layer normalisation on the wasm backend: two passes over each row, in place of eight over the whole tensor. */
import type * as tf from '@tensorflow/tfjs-core';
import { runOnHeap } from '../heap';

/** x [..., C], scale and bias [C] -> the shape of x. Sums are float64. */
export function layerNormOnWasm(x: tf.Tensor, scale: tf.Tensor1D, bias: tf.Tensor1D, epsilon: number): tf.Tensor {
  const width = scale.shape[0];
  return runOnHeap([x, scale, bias], x.shape, (heap, output, input, scaleAt, biasAt) => {
    for (let row = 0; row < x.size; row += width) {
      const from = input + row;
      const to = output + row;
      let sum = 0;
      for (let c = 0; c < width; c++) sum += heap[from + c] ?? 0;
      const mean = sum / width;
      let squares = 0;
      for (let c = 0; c < width; c++) {
        const centred = (heap[from + c] ?? 0) - mean;
        squares += centred * centred;
      }
      const factor = 1 / Math.sqrt(squares / width + epsilon);
      for (let c = 0; c < width; c++) {
        const normal = ((heap[from + c] ?? 0) - mean) * factor;
        heap[to + c] = normal * (heap[scaleAt + c] ?? 0) + (heap[biasAt + c] ?? 0);
      }
    }
  });
}
