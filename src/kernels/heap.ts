/**
 * Kernels written in TypeScript over the memory of the wasm backend: for layout work (padding, stacking,
 * interleaving) and one-pass reductions, which from stock ops cost several copies. Not for matrix products:
 * those are the backend's own (XNNPACK).
 */
import * as tf from '@tensorflow/tfjs-core';
import type { BackendWasm } from '@tensorflow/tfjs-backend-wasm';

/**
 * Allocates a float32 tensor of `shape` on the wasm heap and lets `body` fill it from views of the inputs.
 * Views are valid only inside `body`: a later allocation may move the heap.
 */
export function runOnHeap<T extends tf.Tensor>(
  inputs: readonly tf.Tensor[],
  shape: readonly number[],
  body: (output: Float32Array, ...inputs: Float32Array[]) => void,
): T {
  const backend = tf.backend() as BackendWasm;
  // Bring inputs over from another backend first, as that allocates.
  for (const input of inputs) backend.dataIdMap.get(input.dataId);
  const output = backend.makeOutput([...shape], 'float32');
  const view = (info: tf.TensorInfo): Float32Array => backend.typedArrayFromHeap(info) as Float32Array;
  body(view(output), ...inputs.map(view));
  return tf.engine().makeTensorFromTensorInfo(output, backend) as T;
}
