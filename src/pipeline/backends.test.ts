/**
 * One seed on several backends: the same tokens, but for near-ties that rounding decides. Every forward pass of a run
 * on cpu is repeated on the other backends from the same state; tokens that differ are counted and must be near-ties.
 */
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, describe, expect, it } from 'vitest';
import { switchBackend, type TestBackend } from '../kernels/testing/backends';
import { runTransformer, type TokenSets } from '../model/transformer';
import { drawCodes } from '../sampling/filtering';
import { sampleTokens } from '../sampling/generate';
import { CounterNoise } from '../sampling/random';
import { predictFromLogits } from '../sampling/steps';
import type { Engine } from './engine';
import { createTinyEngine } from './testing/tinyEngine';

const SEED = 11;
const OPTIONS = {
  seed: SEED,
  frames: 16,
  steps: 6,
  bootstrap: 0,
  temperature: 1,
  choiceTemperature: 4,
  topK: 0,
  topP: 1,
  schedule: 'cosine',
  revisePasses: 1,
  reviseSteps: 2,
  reviseTemperature: 0.7,
} as const;
/** Logits of two backends agree to this (the fixtures' limit). */
const LOGIT_TOLERANCE = 5e-4;

async function engineOn(backend: TestBackend): Promise<Engine> {
  if (!(await switchBackend(backend))) throw new Error(`${backend} is not to be had here`);
  return createTinyEngine();
}

async function logitsOf(engine: Engine, sets: TokenSets): Promise<Float32Array> {
  const logits = runTransformer(engine.transformer, sets);
  const values = await logits.data<'float32'>();
  logits.dispose();
  return values;
}

const draw = (logits: Float32Array, target: Int32Array, temperature: number): Int32Array =>
  drawCodes(logits, { batch: 1, target, filter: { temperature }, noise: new CounterNoise(SEED), step: 0 })
    .samples;

describe('a seed on another backend', () => {
  const passes: { sets: TokenSets; logits: Float32Array }[] = [];

  afterAll(() => switchBackend('cpu'));

  it('is recorded on cpu', async () => {
    const engine = await engineOn('cpu');
    const [, h, w] = engine.manifest.model.grid;
    const predict = predictFromLogits(async function* (state) {
      const logits = await logitsOf(engine, state);
      passes.push({ sets: state, logits });
      yield { first: 0, count: state.target.length, logits };
    });
    for await (const _ of sampleTokens({ options: OPTIONS, grid: [2, h, w], predict }));
    engine.dispose();
    expect(passes.length).toBeGreaterThan(6);
  });

  it('differs on wasm only in near-ties', async () => {
    const engine = await engineOn('wasm');
    let drawn = 0;
    let different = 0;
    for (const { sets, logits } of passes) {
      const other = await logitsOf(engine, sets);
      const gap = other.reduce((most, value, i) => Math.max(most, Math.abs(value - (logits[i] ?? 0))), 0);
      expect(gap).toBeLessThan(LOGIT_TOLERANCE);
      const [ours, theirs] = [draw(logits, sets.target, 1), draw(other, sets.target, 1)];
      drawn += ours.length;
      different += ours.filter((code, i) => code !== theirs[i]).length;
    }
    engine.dispose();
    expect(tf.getBackend()).toBe('wasm');
    expect(drawn).toBeGreaterThan(50);
    // A near-tie at a gap of 5e-4 in the logits has a chance of about 1 in 1,000 a token.
    expect(different / drawn).toBeLessThan(0.01);
  });
});
