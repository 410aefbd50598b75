/**
 * Kernels written in TypeScript over the memory of the wasm backend, for layout work that stock ops do in several
 * copies: padding, stacking, interleaving. Not for arithmetic: the backend's own ops (XNNPACK, SIMD) are ten times
 * quicker at that, pass by pass.
 */
import type { BackendWasm } from '@tensorflow/tfjs-backend-wasm';
import * as tf from '@tensorflow/tfjs-core';

/**
 * Allocates a float32 tensor of `shape` on the wasm heap and lets `body` fill it. `body` gets the whole heap as float32
 * and the offsets, in floats, of the output and of each input. The heap is valid only inside `body`: a later
 * allocation may move it.
 */
export function runOnHeap<T extends tf.Tensor>(
  inputs: readonly tf.Tensor[],
  shape: readonly number[],
  body: (heap: Float32Array, output: number, ...inputs: number[]) => void,
): T {
  const backend = tf.backend() as BackendWasm;
  // Tensors of another backend move here when they are looked up; that allocates, so it comes first.
  for (const input of inputs) backend.dataIdMap.get(input.dataId);
  const output = backend.makeOutput([...shape], 'float32');
  look(backend, [output, ...inputs], body as (heap: Float32Array, ...offsets: number[]) => void);
  return tf.engine().makeTensorFromTensorInfo(output, backend) as T;
}

/** Lets `body` change tensors in place; it gets the heap and their offsets, as above. */
export function changeOnHeap(
  tensors: readonly tf.Tensor[],
  body: (heap: Float32Array, first: number, ...others: number[]) => void,
): void {
  const backend = tf.backend() as BackendWasm;
  for (const tensor of tensors) backend.dataIdMap.get(tensor.dataId);
  look(backend, tensors, body as (heap: Float32Array, ...offsets: number[]) => void);
}

function look(
  backend: BackendWasm,
  tensors: readonly tf.TensorInfo[],
  body: (heap: Float32Array, ...offsets: number[]) => void,
): void {
  const [any] = tensors;
  if (!any) return;
  const { buffer } = backend.typedArrayFromHeap(any);
  const offset = ({ dataId }: tf.TensorInfo): number =>
    backend.getMemoryOffset(dataId) / Float32Array.BYTES_PER_ELEMENT;
  body(new Float32Array(buffer), ...tensors.map(offset));
}
