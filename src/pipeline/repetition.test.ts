/** Twenty generations in a row, on each backend: no tensor is left behind, and what the backend holds stops growing. */
import type { BackendWasm } from '@tensorflow/tfjs-backend-wasm';
import type { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu';
import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import type { ModelConfig } from '../config/model';
import { gpuFailures, type TestBackend } from '../kernels/testing/backends';
import { onEachBackend } from '../kernels/testing/parity';
import { parseManifest, StoredWeights } from '../loader';
import { createEngine } from './engine';
import { generate } from './generate';
import { packTinyModel, TINY_MODEL } from './testing/tinyModel';

/** Two blocks: a software GPU takes its time over twenty generations. */
const SHALLOW: ModelConfig = {
  ...TINY_MODEL,
  transformer: { ...TINY_MODEL.transformer, modes: ['latent_enc', 'latent_dec'] },
};
const OPTIONS = {
  frames: 4,
  steps: 1,
  bootstrap: 0,
  temperature: 1,
  choiceTemperature: 4,
  topK: 8,
  topP: 0.9,
  topPFrom: 0,
  guidance: 0,
  guidanceFrom: 0,
  schedule: 'cosine',
  order: 'confidence',
  targets: 0,
  scene: '',
  revisePasses: 1,
  reviseSteps: 1,
  reviseTemperature: 0.7,
} as const;
/** Generations after which buffers kept for reuse suffice for whatever order they are asked for in. */
const SETTLED = 5;
/** ms */
const PATIENCE = 600_000;

/** Bytes that the backend has taken from the system, free buffers for later use included. */
function bytesTaken(backend: TestBackend): number {
  if (backend === 'cpu') return tf.memory().numBytes;
  if (backend === 'webgpu') return (tf.backend() as WebGPUBackend).memory().numBytesAllocatedInGPU;
  const { wasm } = tf.backend() as BackendWasm;
  return (wasm as unknown as { readonly HEAPU8: Uint8Array }).HEAPU8.length;
}

onEachBackend('twenty generations', (backend) => {
  it('leave no tensor and no byte behind', { timeout: PATIENCE }, async () => {
    const before = tf.memory().numTensors;
    const { manifest: text, files } = packTinyModel(SHALLOW);
    const manifest = await parseManifest(text, 'tiny');
    const shards = [...files.values()].map((bytes) => bytes.buffer);
    const engine = await createEngine(manifest, new StoredWeights(manifest, shards));
    const { numTensors, numBytes } = tf.memory();
    const taken: number[] = [];
    for (let seed = 0; seed < 20; seed++) {
      for await (const _ of generate(engine, { ...OPTIONS, seed }));
      expect(tf.memory()).toMatchObject({ numTensors, numBytes });
      taken.push(bytesTaken(backend));
    }
    const settled = taken.slice(SETTLED);
    expect(settled, taken.join()).toEqual(settled.map(() => taken[SETTLED]));
    engine.dispose();
    expect(tf.memory().numTensors).toBe(before);
    expect(gpuFailures).toEqual([]);
  });
});
