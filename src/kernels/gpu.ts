/**
 * Runs the project's own WGSL programs on the WebGPU backend, and nothing else. Types only are imported from the
 * backend's package, so that a page on wasm does not load it.
 */

import type { WebGPUBackend, WebGPUProgram } from '@tensorflow/tfjs-backend-webgpu';
import * as tf from '@tensorflow/tfjs-core';
import type { Factors } from './float16';

/** What kernels need to know of a device to choose among their variants. */
export interface GpuTraits {
  /** A CPU does the work (SwiftShader, lavapipe, WARP). */
  readonly software: boolean;
  /** Programs may multiply in float16 (float16.ts). Not on a CPU, which would convert every value to and fro. */
  readonly float16: boolean;
}

const traits = new WeakMap<GPUDevice, GpuTraits>();

/** To be called once for a device that kernels will run on. */
export function describeGpu(device: GPUDevice, description: GpuTraits): void {
  traits.set(device, description);
}

/** What programs multiply in that have the choice. */
export function factorsOf({ float16 }: Pick<GpuTraits, 'float16'>): Factors {
  return float16 ? 'f16' : 'f32';
}

/** Of the current WebGPU backend's device. A device that nobody described counts as a graphics card. */
export function gpuTraits(): GpuTraits {
  return traits.get((tf.backend() as WebGPUBackend).device) ?? { software: false, float16: false };
}

/** Names, types and values of the extra uniforms of one run, in the order of the program's `uniforms` declaration. */
export type Uniforms = readonly { readonly type: 'int32' | 'float32'; readonly data: number[] }[];

export const int = (value: number): { type: 'int32'; data: number[] } => ({ type: 'int32', data: [value] });
export const float = (value: number): { type: 'float32'; data: number[] } => ({
  type: 'float32',
  data: [value],
});

/**
 * Dispatches `program` over `inputs` and gives the float32 result the shape `shape` (same number of elements).
 * `flops`: about what it computes, where that is much; see `submitWork`.
 *
 * tfjs gets inputs and output without their shapes. It would look at them for helpers that none of the project's
 * programs uses, and give a program another pipeline where sizes happen to be 1 or equal; so what is compiled ahead
 * would not be what is needed.
 */
export function runOnGpu<T extends tf.Tensor>(
  program: WebGPUProgram,
  inputs: readonly tf.Tensor[],
  shape: readonly number[],
  uniforms: Uniforms,
  flops = 0,
): T {
  const backend = tf.backend() as WebGPUBackend;
  const output = backend.makeTensorInfo([...shape], 'float32');
  dispatch(backend, program, inputs, output, uniforms);
  submitWork(backend, flops);
  return tf.engine().makeTensorFromTensorInfo(output, backend) as T;
}

/** A float32 tensor on the device that nothing was written into. */
export function unwrittenOnWebGpu<T extends tf.Tensor>(shape: readonly number[]): T {
  const backend = tf.backend() as WebGPUBackend;
  return tf.engine().makeTensorFromTensorInfo(backend.makeTensorInfo([...shape], 'float32'), backend) as T;
}

/** The same as `runOnGpu` into a tensor that is there already, of which the program writes a part. Whoever shares its data sees it. */
export function writeOnGpu(
  program: WebGPUProgram,
  inputs: readonly tf.Tensor[],
  output: tf.Tensor,
  uniforms: Uniforms,
): void {
  dispatch(tf.backend() as WebGPUBackend, program, inputs, output, uniforms);
}

function dispatch(
  backend: WebGPUBackend,
  program: WebGPUProgram,
  inputs: readonly tf.Tensor[],
  output: tf.TensorInfo,
  uniforms: Uniforms,
): void {
  const bare = ({ dataId, dtype }: tf.TensorInfo, size: number): tf.TensorInfo => ({
    dataId,
    dtype,
    shape: [size],
  });
  const operands = inputs.map((input) => bare(input, 2));
  backend.runWebGPUProgram(program, operands, 'float32', [...uniforms], bare(output, 3));
  releaseOnDispose(backend, [...inputs, output]);
}

/**
 * tfjs keeps the memory of disposed tensors until the commands that use them are submitted. But commands run in the order
 * in which they were recorded, and what uploads into a used buffer is one of them (backend_webgpu.js, uploadToGPU): so the
 * next program may have it at once. Else a pass would hold what up to 15 programs made.
 */
function releaseOnDispose(backend: WebGPUBackend, tensors: readonly tf.TensorInfo[]): void {
  // Private in its types; tfjs is pinned to 4.22.0.
  const { commandQueueOwnedIds } = backend as unknown as { commandQueueOwnedIds: WeakSet<object> };
  for (const { dataId } of tensors) commandQueueOwnedIds.delete(dataId);
}

/**
 * FLOP after which what was recorded is submitted. A submit cannot be interrupted, and the page's own drawing waits for
 * it: at 100 GFLOP/s, which a small integrated card reaches, this is 0.16 s. Layers are cut to about as much
 * (model/rowPieces.ts, model/decodePlan.ts), so a submit stays under twice that.
 */
export const SUBMIT_FLOPS = 16e9;

let recorded = 0;

function submitWork(backend: WebGPUBackend, flops: number): void {
  recorded += flops;
  if (recorded >= SUBMIT_FLOPS) submit(backend);
}

function submit(backend: WebGPUBackend): void {
  recorded = 0;
  backend.ensureCommandEncoderReady();
  backend.endComputePassEncoder();
  backend.submitQueue();
}

/** What tfjs's bufferManager keeps private in its types; tfjs is pinned to 4.22.0. */
interface BufferPool {
  readonly freeBuffers: Map<string, GPUBuffer[]>;
  numFreeBuffers: number;
  readonly numBytesUsed: number;
  numBytesAllocated: number;
}

/**
 * Destroys the buffers that tfjs keeps for reuse, where they take more than `most` bytes: it looks for one of exactly the
 * size wanted, and sizes change with every number of tokens. Worth it between pieces of work of different sizes. Nothing
 * on other backends.
 */
export function freeUnusedGpuMemory(most = 0): void {
  if (tf.getBackend() !== 'webgpu') return;
  const backend = tf.backend() as WebGPUBackend;
  const pool = backend.bufferManager as unknown as BufferPool;
  if (pool.numBytesAllocated - pool.numBytesUsed <= most) return;
  submit(backend); // What uses these buffers may be recorded and not submitted.
  for (const buffers of pool.freeBuffers.values()) {
    for (const buffer of buffers.splice(0)) {
      pool.numFreeBuffers -= 1;
      pool.numBytesAllocated -= buffer.size;
      buffer.destroy();
    }
  }
}

/**
 * Runs `work` without computing anything: every pipeline that it needs is compiled, in parallel, instead. Results hold
 * garbage and must not be read. Nothing on other backends.
 */
export async function compileAhead(work: () => void | Promise<void>): Promise<void> {
  if (tf.getBackend() !== 'webgpu') return;
  tf.env().set('WEBGPU_ENGINE_COMPILE_ONLY', true);
  try {
    await work();
    await (tf.backend() as WebGPUBackend).checkCompileCompletionAsync();
  } finally {
    tf.env().set('WEBGPU_ENGINE_COMPILE_ONLY', false);
    freeUnusedGpuMemory();
  }
}
