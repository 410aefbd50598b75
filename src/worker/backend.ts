/**
 * Chooses what the engine runs on, and says why: hardware WebGPU, else WebAssembly with SIMD and, where the page is
 * cross-origin isolated, threads. How a backend is brought to life is the kernels' business (kernels/backends.ts).
 */
import simdUrl from '@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm-simd.wasm?url';
import threadedUrl from '@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm-threaded-simd.wasm?url';
import {
  BackendUnavailable,
  type PreparedBackend,
  prepareCpu,
  prepareWasm,
  prepareWebGpu,
  type WasmOptions,
  type WebGpuFailure,
  type WebGpuOptions,
} from '../kernels/backends';
import type { BackendName, BackendSummary, BackendWish } from './protocol';

/** No backend can be had; the message says why and what to do. */
export class NoBackendError extends Error {
  override readonly name = 'NoBackendError';
}

export interface BackendChoice {
  /** Overrides the choice; when WebGPU is asked for, a software adapter will do. */
  readonly wish?: BackendWish;
  /** Why WebGPU is not to be tried again, e.g. because its device was lost twice. */
  readonly avoidWebGpu?: string | undefined;
  readonly onFailure: (failure: WebGpuFailure) => void;
}

/** What the choice depends on, so that tests can stand in for it. */
export interface Preparers {
  readonly webgpu: typeof prepareWebGpu;
  readonly wasm: typeof prepareWasm;
  readonly cpu: typeof prepareCpu;
  /** Threads that wasm uses here; `wish` is the visitor's. */
  readonly threads: (wish: number | undefined) => number;
}

const PREPARERS: Preparers = {
  webgpu: prepareWebGpu,
  wasm: (options) => withCoresFor(options?.threads ?? 1, () => prepareWasm(options)),
  cpu: prepareCpu,
  threads: wasmThreads,
};

/** tfjs's wasm module never starts more. */
const MOST_THREADS = 4;

/**
 * Shared memory and workers inside this worker are what tfjs's threads need. One core is left to the page: tfjs's
 * threads wait for one another by spinning, so that where they outnumber the free cores every one of them is slower
 * than one thread alone.
 */
function wasmThreads(wish: number | undefined): number {
  const able =
    globalThis.crossOriginIsolated === true &&
    typeof SharedArrayBuffer !== 'undefined' &&
    typeof Worker !== 'undefined';
  return able ? Math.min(MOST_THREADS, wish ?? Math.max(1, (navigator.hardwareConcurrency || 1) - 1)) : 1;
}

/**
 * Runs `start` while this worker claims to have twice as many cores as threads are wanted. tfjs 4.22 fills its pool
 * before it looks at `setThreadsCount`, with one thread for every two cores, which would leave a core idle.
 */
async function withCoresFor<T>(threads: number, start: () => Promise<T>): Promise<T> {
  Object.defineProperty(navigator, 'hardwareConcurrency', { configurable: true, value: 2 * threads });
  try {
    return await start();
  } finally {
    Reflect.deleteProperty(navigator, 'hardwareConcurrency');
  }
}

/** Files of our own origin, resolved against the built script, so that they work under any path. */
function wasmPaths(): Exclude<WasmOptions['paths'], string | undefined> {
  return {
    // Never asked for: without SIMD wasm is not used. The stock file would add 250 kB to the page.
    'tfjs-backend-wasm.wasm': simdUrl,
    'tfjs-backend-wasm-simd.wasm': simdUrl,
    'tfjs-backend-wasm-threaded-simd.wasm': threadedUrl,
  };
}

/** @throws NoBackendError */
export async function chooseBackend(
  { wish = {}, avoidWebGpu, onFailure }: BackendChoice,
  prepare: Preparers = PREPARERS,
): Promise<BackendSummary> {
  if (wish.backend) return prepareRequested({ ...wish, backend: wish.backend }, onFailure, prepare);
  let without: string;
  try {
    if (avoidWebGpu) throw new BackendUnavailable(avoidWebGpu);
    const webgpu = await prepare.webgpu({ ...precisionOf(wish), onFailure });
    return { ...webgpu, reason: `WebGPU runs on ${webgpu.adapter ?? 'the graphics card'}.` };
  } catch (error) {
    without = sentence(error);
  }
  try {
    const wasm = await prepareWasmWithThreads(prepare, wish.threads);
    return { ...wasm, reason: `${without} WebAssembly is used, ${threadsInWords(wasm.threads)}.` };
  } catch (error) {
    const advice = 'Open this page in a current version of Chrome, Edge, Firefox or Safari.';
    throw new NoBackendError(`${without} ${sentence(error)} ${advice}`, { cause: error });
  }
}

const precisionOf = ({ float16 }: BackendWish): Pick<WebGpuOptions, 'float16'> =>
  float16 === undefined ? {} : { float16 };

async function prepareRequested(
  wish: BackendWish & { readonly backend: BackendName },
  onFailure: (failure: WebGpuFailure) => void,
  prepare: Preparers,
): Promise<BackendSummary> {
  const { backend: requested, threads } = wish;
  try {
    if (requested === 'cpu') return { ...(await prepare.cpu()), reason: 'Plain JavaScript was asked for.' };
    if (requested === 'webgpu') {
      const webgpu = await prepare.webgpu({ ...precisionOf(wish), allowSoftware: true, onFailure });
      return { ...webgpu, reason: `WebGPU was asked for; it runs on ${webgpu.adapter ?? 'an adapter'}.` };
    }
    const wasm = await prepareWasmWithThreads(prepare, threads);
    return { ...wasm, reason: `WebAssembly was asked for; it runs ${threadsInWords(wasm.threads)}.` };
  } catch (error) {
    const advice = `Remove backend=${requested} from the address to let the page choose.`;
    throw new NoBackendError(`${sentence(error)} ${advice}`, { cause: error });
  }
}

async function prepareWasmWithThreads(
  prepare: Preparers,
  wish: number | undefined,
): Promise<PreparedBackend> {
  const paths = wasmPaths();
  const threads = prepare.threads(wish);
  if (threads > 1) {
    try {
      return await prepare.wasm({ paths, threads });
    } catch {
      // Threads can be forbidden where shared memory is not, as by a policy for workers. One is enough.
      // The paths stay as they are: after a failed start tfjs refuses to set them again.
      return prepare.wasm({ threads: 1 });
    }
  }
  return prepare.wasm({ paths, threads: 1 });
}

function threadsInWords(threads: number): string {
  return threads === 1 ? 'on one thread' : `on ${threads} threads`;
}

function sentence(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return /[.!?]$/.test(text) ? text : `${text}.`;
}
