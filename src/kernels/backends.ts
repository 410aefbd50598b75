/**
 * Brings a tfjs backend to life: wasm, WebGPU on a device of our own, or cpu. It does not choose between them
 * (the worker does) and loads a backend's package only when that backend is asked for.
 */
import * as tf from '@tensorflow/tfjs-core';
import { hoistFloat16 } from './float16';
import { describeGpu } from './gpu';

export interface WasmOptions {
  /** A folder ending in "/", or one URL for each of the three .wasm files by its stock name. Left out in Node. */
  readonly paths?: string | Readonly<Record<WasmBinary, string>>;
  /** Used where the page is cross-origin isolated; 1 otherwise. */
  readonly threads?: number;
}
export type WasmBinary =
  | 'tfjs-backend-wasm.wasm'
  | 'tfjs-backend-wasm-simd.wasm'
  | 'tfjs-backend-wasm-threaded-simd.wasm';

export interface WebGpuOptions {
  /** Accept a software (fallback) adapter, which is slower than wasm; for tests. */
  readonly allowSoftware?: boolean;
  /** false: kernels multiply in float32 even where the adapter has float16. */
  readonly float16?: boolean;
  /** Choose kernels as for a graphics card whatever the adapter is; for tests. */
  readonly asCard?: boolean;
  /** Called once, when the device is lost or reports an error that nobody caught; the backend is then unusable. */
  readonly onFailure?: (failure: WebGpuFailure) => void;
}

export interface WebGpuFailure {
  readonly kind: 'lost' | 'error';
  readonly message: string;
}

export interface PreparedBackend {
  readonly backend: 'webgpu' | 'wasm' | 'cpu';
  /** wasm threads; 1 elsewhere. */
  readonly threads: number;
  /** Name of the adapter (webgpu). */
  readonly adapter?: string;
  /** It computes on the processor (webgpu). */
  readonly software?: boolean;
  /** Most bytes of one buffer that a kernel sees (webgpu). */
  readonly bufferBytes?: number;
}

/** Why a backend cannot be used here; the message is a sentence for people. */
export class BackendUnavailable extends Error {
  override readonly name = 'BackendUnavailable';
}

export async function prepareCpu(): Promise<PreparedBackend> {
  await import('@tensorflow/tfjs-backend-cpu');
  await tf.setBackend('cpu');
  return { backend: 'cpu', threads: 1 };
}

/** Throws BackendUnavailable when WebAssembly with SIMD is missing or its files cannot be loaded. */
export async function prepareWasm(options: WasmOptions = {}): Promise<PreparedBackend> {
  const wasm = await import('@tensorflow/tfjs-backend-wasm');
  if (!(await tf.env().getAsync('WASM_HAS_SIMD_SUPPORT'))) {
    throw new BackendUnavailable('This browser has no WebAssembly with SIMD; update it or use another one.');
  }
  const threads = globalThis.crossOriginIsolated === true ? Math.max(1, options.threads ?? 1) : 1;
  if (threads === 1) tf.env().set('WASM_HAS_MULTITHREAD_SUPPORT', false);
  else wasm.setThreadsCount(threads);
  if (options.paths !== undefined) wasm.setWasmPaths(options.paths as string);
  if (!(await tf.setBackend('wasm'))) {
    throw new BackendUnavailable(
      'WebAssembly could not be started: its files did not load. Reload the page.',
    );
  }
  return { backend: 'wasm', threads: threads === 1 ? 1 : wasm.getThreadsCount() };
}

const FEATURES: readonly GPUFeatureName[] = ['shader-f16', 'subgroups', 'timestamp-query'];
const LIMITS = [
  'maxStorageBufferBindingSize',
  'maxBufferSize',
  'maxStorageBuffersPerShaderStage',
  'maxComputeWorkgroupStorageSize',
  'maxComputeInvocationsPerWorkgroup',
  'maxComputeWorkgroupSizeX',
  'maxComputeWorkgroupSizeY',
  'maxComputeWorkgroupsPerDimension',
] as const;

/** Throws BackendUnavailable without WebGPU, without an adapter, or with a software one that was not allowed. */
export async function prepareWebGpu(options: WebGpuOptions = {}): Promise<PreparedBackend> {
  const gpu = (globalThis.navigator as Navigator | undefined)?.gpu;
  if (!gpu) throw new BackendUnavailable('This browser has no WebGPU.');
  const adapter = await gpu.requestAdapter({ powerPreference: 'high-performance' });
  if (!adapter) throw new BackendUnavailable('WebGPU found no adapter.');
  const name = adapterName(adapter);
  const software = isSoftware(adapter);
  if (!options.allowSoftware && software) {
    throw new BackendUnavailable(
      `WebGPU has only a software adapter (${name}), which is slower than WebAssembly.`,
    );
  }
  const device = await adapter.requestDevice({
    requiredFeatures: FEATURES.filter((feature) => adapter.features.has(feature)),
    requiredLimits: Object.fromEntries(LIMITS.map((limit) => [limit, adapter.limits[limit]])),
  });
  hoistFloat16(device);
  const byCpu = software && options.asCard !== true;
  const float16 = device.features.has('shader-f16') && options.float16 !== false && !byCpu;
  describeGpu(device, { software: byCpu, float16 });
  const { WebGPUBackend } = await import('@tensorflow/tfjs-backend-webgpu');
  if (tf.findBackendFactory('webgpu')) tf.removeBackend('webgpu');
  tf.registerBackend('webgpu', () => new WebGPUBackend(device, adapter.info));
  watch(device, options.onFailure);
  if (!(await tf.setBackend('webgpu')))
    throw new BackendUnavailable('The WebGPU backend could not be started.');
  const bufferBytes = Math.min(device.limits.maxBufferSize, device.limits.maxStorageBufferBindingSize);
  return { backend: 'webgpu', threads: 1, adapter: name, bufferBytes, ...(software ? { software } : {}) };
}

/** Reports the first failure. A device that we destroyed ourselves is not one. */
function watch(device: GPUDevice, onFailure: WebGpuOptions['onFailure']): void {
  let reported = false;
  const report = (failure: WebGpuFailure): void => {
    if (reported) return;
    reported = true;
    onFailure?.(failure);
  };
  device.addEventListener('uncapturederror', (event) =>
    report({ kind: 'error', message: event.error.message }),
  );
  void device.lost.then((info) => {
    if (info.reason !== 'destroyed') report({ kind: 'lost', message: info.message });
  });
}

function adapterName({ info }: GPUAdapter): string {
  return info.description || [info.vendor, info.architecture].filter(Boolean).join(' ') || 'unnamed adapter';
}

/** Chromium marks SwiftShader as a fallback adapter; lavapipe and WARP are known by name. */
function isSoftware({ info }: GPUAdapter): boolean {
  if (info.isFallbackAdapter) return true;
  return /swiftshader|llvmpipe|lavapipe|basic render|softpipe/i.test(
    `${info.vendor} ${info.architecture} ${info.device} ${info.description}`,
  );
}
