/**
 * Runs the project's own WGSL programs on the WebGPU backend, and nothing else. Types only are imported from the
 * backend's package, so that a page on wasm does not load it.
 */

import type { WebGPUBackend, WebGPUProgram } from '@tensorflow/tfjs-backend-webgpu';
import * as tf from '@tensorflow/tfjs-core';

/** What kernels need to know of a device to choose among their variants. */
export interface GpuTraits {
  /** A CPU does the work (SwiftShader, lavapipe, WARP). */
  readonly software: boolean;
}

const traits = new WeakMap<GPUDevice, GpuTraits>();

/** To be called once for a device that kernels will run on. */
export function describeGpu(device: GPUDevice, description: GpuTraits): void {
  traits.set(device, description);
}

/** Of the current WebGPU backend's device. A device that nobody described counts as a graphics card. */
export function gpuTraits(): GpuTraits {
  return traits.get((tf.backend() as WebGPUBackend).device) ?? { software: false };
}

/** Names, types and values of the extra uniforms of one run, in the order of the program's `uniforms` declaration. */
export type Uniforms = readonly { readonly type: 'int32' | 'float32'; readonly data: number[] }[];

export const int = (value: number): { type: 'int32'; data: number[] } => ({ type: 'int32', data: [value] });
export const float = (value: number): { type: 'float32'; data: number[] } => ({
  type: 'float32',
  data: [value],
});

/** Dispatches `program` over `inputs` and gives the float32 result the shape `shape` (same number of elements). */
export function runOnGpu<T extends tf.Tensor>(
  program: WebGPUProgram,
  inputs: readonly tf.Tensor[],
  shape: readonly number[],
  uniforms: Uniforms,
): T {
  const backend = tf.backend() as WebGPUBackend;
  const output = backend.runWebGPUProgram(program, [...inputs], 'float32', [...uniforms]);
  output.shape = [...shape];
  return tf.engine().makeTensorFromTensorInfo(output, backend) as T;
}
