/** Once an engine is made on WebGPU, a generation compiles no pipeline: a step that did would stutter. */
import type { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu';
import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { onBackend } from '../kernels/testing/parity';
import { generate } from './generate';
import { createTinyEngine } from './testing/tinyEngine';
import { TOLD_MODEL } from './testing/tinyModel';

const OPTIONS = {
  steps: 2,
  bootstrap: 1,
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
  seed: 1,
} as const;

interface Compiled {
  /** Labels of pipelines that were compiled side by side, */
  readonly ahead: string[];
  /** and of those that something waited for. */
  readonly waited: string[];
}

async function compiledDuring<T>(work: () => Promise<T>): Promise<Compiled & { readonly result: T }> {
  const { device } = tf.backend() as WebGPUBackend;
  const ahead: string[] = [];
  const waited: string[] = [];
  const { createComputePipeline, createComputePipelineAsync } = device;
  device.createComputePipeline = (descriptor) => {
    waited.push(descriptor.label ?? '?');
    return createComputePipeline.call(device, descriptor);
  };
  device.createComputePipelineAsync = (descriptor) => {
    ahead.push(descriptor.label ?? '?');
    return createComputePipelineAsync.call(device, descriptor);
  };
  try {
    return { ahead, waited, result: await work() };
  } finally {
    Object.assign(device, { createComputePipeline, createComputePipelineAsync });
  }
}

onBackend('webgpu', 'an engine', () => {
  it('has compiled what its clips need, long and short', { timeout: 600_000 }, async () => {
    const { ahead, waited, result: engine } = await compiledDuring(() => createTinyEngine(TOLD_MODEL));
    const ours = ['LinearProgram', 'AttentionProgram', 'CopyRowsProgram', 'DrawCodesProgram'];
    expect(ours.filter((name) => waited.some((label) => label.includes(name)))).toEqual([]);
    expect(ahead).toEqual(expect.arrayContaining(['CopyRowsProgram', 'DrawCodesProgram']));
    for (const given of [
      { frames: 32 },
      { frames: 4 },
      { frames: 48, order: 'spread' },
      { frames: 32, order: 'spread', steps: 4 },
      { frames: 32, order: 'spread', steps: 4, targets: 8 },
      { frames: 48, order: 'spread', steps: 4, guidance: 1 },
    ] as const) {
      const later = await compiledDuring(async () => {
        for await (const _ of generate(engine, { ...OPTIONS, ...given }));
      });
      expect([...later.ahead, ...later.waited]).toEqual([]);
    }
    engine.dispose();
  });
});
