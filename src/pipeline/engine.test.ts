import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import type { GenerationOptions } from '../config/generation';
import { gpuFailures } from '../kernels/testing/backends';
import { onBackend } from '../kernels/testing/parity';
import { generate } from './generate';
import { createTinyEngine } from './testing/tinyEngine';

const OPTIONS: GenerationOptions = {
  seed: 7,
  frames: 16,
  steps: 3,
  bootstrap: 0,
  temperature: 1,
  choiceTemperature: 4,
  topK: 0,
  topP: 1,
  topPFrom: 0,
  guidance: 0,
  guidanceFrom: 0,
  schedule: 'cosine',
  order: 'confidence',
  targets: 0,
  scene: '',
  revisePasses: 1,
  reviseSteps: 2,
  reviseTemperature: 0.7,
};

/** Private in tfjs. */
const pipelines = (): string[] =>
  Object.keys((tf.backend() as unknown as { pipelineCache: object }).pipelineCache);

onBackend('webgpu', 'an engine', () => {
  it('has compiled every pipeline before its first step', async () => {
    const engine = await createTinyEngine();
    const compiled = pipelines();
    expect(compiled.length).toBeGreaterThan(10);
    for await (const _ of generate(engine, OPTIONS));
    expect(pipelines().filter((key) => !compiled.includes(key))).toEqual([]);
    expect(gpuFailures).toEqual([]);
    engine.dispose();
  }, 400_000); // A software adapter takes its time over some 40 pipelines.
});
