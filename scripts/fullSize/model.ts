/** A converted model of the full size on the wasm backend, with what it takes of this process. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import * as tf from '@tensorflow/tfjs-core';
import { switchBackend } from '../../src/kernels/testing/backends';
import { loadWeights, type StoredWeights } from '../../src/loader';
import { planMemory } from '../../src/pipeline/memory';

export async function loadConverted(folder: string): Promise<StoredWeights> {
  if (!(await switchBackend('wasm'))) throw new Error('The wasm backend cannot be had.');
  const fetch = async (url: string): Promise<Response> => new Response(await readFile(fileURLToPath(url)));
  return loadWeights(pathToFileURL(join(folder, 'manifest.json')).href, { fetch });
}

/** Runs something, and tells what it took. */
export async function measured<T>(what: string, run: () => Promise<T>): Promise<T> {
  const [clock, before] = [performance.now(), process.cpuUsage()];
  const result = await run();
  const { user, system } = process.cpuUsage(before);
  const seconds = ((performance.now() - clock) / 1000).toFixed(1);
  const resident = process.resourceUsage().maxRSS * 1024;
  console.log(
    `${what}: ${seconds} s, ${((user + system) / 1e6).toFixed(1)} s of processor time, ${megabytes(resident)} resident at most so far, WebAssembly's heap ${megabytes(heapBytes())}`,
  );
  return result;
}

/** What the memory plan is about: it only ever grows. The rest of the process is files, JavaScript's copies and Node. */
function heapBytes(): number {
  const { wasm } = tf.backend() as unknown as { wasm?: { HEAPU8?: Uint8Array } };
  return wasm?.HEAPU8?.length ?? 0;
}

/** @param latentFrames T' of the clip */
export function planText({ manifest }: StoredWeights, latentFrames: number): string {
  const plan = planMemory(manifest, { backend: 'wasm' }, latentFrames);
  return `memory plan for ${latentFrames} latent frames: ${megabytes(plan.total)} (weights ${megabytes(plan.weights)}, transformer ${megabytes(plan.transformer)}, decoder ${megabytes(plan.decoder)})`;
}

const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(0)} MB`;
