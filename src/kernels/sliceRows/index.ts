/**
 * A piece along axis 1, of float32 tensors. `tf.slice` is right everywhere, but on wasm it first copies the whole tensor
 * out of WebAssembly's memory, and on WebGPU its programs differ with shapes, so that they cannot be compiled ahead.
 */
import * as tf from '@tensorflow/tfjs-core';
import { sliceRowsOnWebGpu } from '../copyRows/webgpu';
import { runOnHeap } from '../heap';

/** x [B, N, ...] -> x[:, first … first + count], [B, count, ...]. Throws where x has no such rows. */
export function sliceRows<T extends tf.Tensor>(x: T, first: number, count: number): T {
  const [batch = 0, rows = 0, ...inner] = x.shape;
  if (
    !Number.isInteger(first) ||
    !Number.isInteger(count) ||
    first < 0 ||
    count < 0 ||
    first + count > rows
  ) {
    throw new RangeError(`sliceRows: rows ${first} to ${first + count} were asked for; there are ${rows}.`);
  }
  const shape = [batch, count, ...inner];
  const backend = tf.getBackend();
  if (x.size > 0 && count > 0 && backend === 'webgpu') return sliceRowsOnWebGpu(x, first, count);
  if (x.size === 0 || count === 0 || backend !== 'wasm') {
    return tf.slice(x, [0, first], [batch, count]) as T;
  }
  const width = inner.reduce((product, extent) => product * extent, 1);
  return runOnHeap<T>([x], shape, (heap, output, input) => {
    for (let b = 0; b < batch; b++) {
      const start = input + (b * rows + first) * width;
      heap.copyWithin(output + b * count * width, start, start + count * width);
    }
  });
}
