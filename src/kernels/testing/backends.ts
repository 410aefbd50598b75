/**
 * The backends of a test or a bench in Node: cpu, wasm, and WebGPU through Dawn (npm package `webgpu`) on whatever
 * Vulkan driver VK_DRIVER_FILES names, else on the SwiftShader that ships with Chromium. Two more variables choose among
 * the kernels' variants: GPU_KERNELS=card takes those for graphics cards on a software adapter, too, and FLOAT16=on those
 * in float16 where the adapter has it (tests compare with float32, and name float16 where they mean it).
 */
import { existsSync, readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { prepareCpu, prepareWasm, prepareWebGpu } from '../backends';

export const TEST_BACKENDS = ['cpu', 'wasm', 'webgpu'] as const;
export type TestBackend = (typeof TEST_BACKENDS)[number];

const DRIVER_FOLDERS = [
  '/usr/lib/chromium',
  '/usr/lib/chromium-browser',
  '/opt/google/chrome',
  '/opt/microsoft/msedge',
];

/** A Vulkan driver description, or undefined where there is none. */
export function findVulkanDriver(): string | undefined {
  const named = process.env.VK_DRIVER_FILES ?? process.env.VK_ICD_FILENAMES;
  if (named) return named;
  for (const folder of DRIVER_FOLDERS.filter((path) => existsSync(path))) {
    const file = readdirSync(folder).find((name) => /swiftshader.*icd.*\.json$/.test(name));
    if (file) return join(folder, file);
  }
  return undefined;
}

/** Makes `navigator.gpu` of Dawn. False where no Vulkan driver is found. */
async function provideWebGpu(): Promise<boolean> {
  if ((globalThis.navigator as Navigator | undefined)?.gpu) return true;
  const driver = findVulkanDriver();
  if (!driver) return false;
  process.env.XDG_RUNTIME_DIR ??= tmpdir(); // the Vulkan loader complains without it
  process.env.VK_DRIVER_FILES = driver;
  process.env.VK_ICD_FILENAMES = driver;
  const { create, globals } = await import('webgpu');
  Object.assign(globalThis, globals);
  Object.defineProperty(globalThis, 'navigator', { value: { gpu: create([]) }, configurable: true });
  return true;
}

/** WebGPU failures since the last `switchBackend`: one broken pipeline spoils every result after it. */
export const gpuFailures: string[] = [];

let adapter: string | undefined;

/** Name of the WebGPU adapter, once WebGPU was switched to. */
export const adapterInUse = (): string | undefined => adapter;

export interface SwitchOptions {
  /** Choose programs in float16 where the adapter has it; FLOAT16=on when left out. */
  readonly float16?: boolean;
}

/** Makes `backend` current; false where this machine does not have it. Options count at its first use. */
export async function switchBackend(backend: TestBackend, options: SwitchOptions = {}): Promise<boolean> {
  gpuFailures.length = 0;
  tf.env().set('IS_TEST', true); // no advertisement for tfjs-node on the console
  if (tf.findBackendFactory(backend)) return tf.setBackend(backend);
  if (backend === 'cpu') await prepareCpu();
  if (backend === 'wasm') await prepareWasm();
  if (backend === 'webgpu') {
    if (!(await provideWebGpu())) return false;
    const onFailure = ({ message }: { message: string }): number => gpuFailures.push(message);
    ({ adapter } = await prepareWebGpu({
      allowSoftware: true,
      asCard: process.env.GPU_KERNELS === 'card',
      float16: options.float16 ?? process.env.FLOAT16 === 'on',
      onFailure,
    }));
    // Else small tensors are computed on the CPU, which hides what is wrong with the kernels.
    tf.env().set('WEBGPU_CPU_FORWARD', false);
  }
  return tf.getBackend() === backend;
}
