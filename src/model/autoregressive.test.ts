import * as tf from '@tensorflow/tfjs-core';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { AutoregressiveConfig } from '../config/model';
import { onEachBackend } from '../kernels/testing/parity';
import { sampleInOrder } from '../sampling/autoregressive';
import { CounterNoise } from '../sampling/random';
import {
  type AutoregressiveParameters,
  createCache,
  disposeCache,
  readAutoregressive,
  runAutoregressive,
  runAutoregressiveStep,
} from './autoregressive';
import { randomAutoregressiveReader } from './initialization';

const CONFIG: AutoregressiveConfig = { width: 16, heads: 4, vocabulary: 10, positions: 8, blocks: 2 };
const TOKENS = Int32Array.from({ length: 7 }, (_, i) => (i * 7) % 10);

let parameters: AutoregressiveParameters;

async function valuesOf(logits: tf.Tensor): Promise<Float32Array> {
  const values = await logits.data<'float32'>();
  logits.dispose();
  return values;
}

/** Logits [V] of every position, one step at a time. */
async function stepThrough(tokens: Int32Array): Promise<Float32Array[]> {
  const cache = createCache(parameters, tokens.length + 1);
  const rows: Float32Array[] = [];
  for (const previous of [null, ...tokens]) {
    rows.push(await valuesOf(runAutoregressiveStep(parameters, cache, previous)));
  }
  disposeCache(cache);
  return rows;
}

function largestDifference(a: Float32Array, b: Float32Array): number {
  return a.reduce((d, x, i) => Math.max(d, Math.abs(x - (b[i] ?? Number.NaN))), 0);
}

onEachBackend('the autoregressive transformer', () => {
  beforeEach(() => {
    parameters = readAutoregressive(CONFIG, randomAutoregressiveReader(CONFIG, 5));
  });
  afterEach(() => tf.dispose(parameters as unknown as tf.TensorContainer));

  it('gives with its cache the logits of the full causal pass at every position', async () => {
    const rows = await stepThrough(TOKENS);
    const full = await valuesOf(runAutoregressive(parameters, TOKENS));
    expect(rows).toHaveLength(8);
    expect(full).toHaveLength(8 * 10);
    rows.forEach((row, i) => {
      expect(largestDifference(row, full.subarray(10 * i, 10 * (i + 1)))).toBeLessThan(5e-6);
    });
    expect(largestDifference(full.subarray(0, 10), full.subarray(70))).toBeGreaterThan(0.01);
  });

  it('does not see the future', async () => {
    const other = TOKENS.map((token, i) => (i < 4 ? token : (token + 1) % 10));
    const [full, changed] = [
      await valuesOf(runAutoregressive(parameters, TOKENS)),
      await valuesOf(runAutoregressive(parameters, other)),
    ];
    expect(largestDifference(full.subarray(0, 50), changed.subarray(0, 50))).toBe(0);
    expect(largestDifference(full.subarray(50, 60), changed.subarray(50, 60))).toBeGreaterThan(0.01);
  });

  it('frees its cache and all that it made', async () => {
    const before = tf.memory().numTensors;
    await stepThrough(TOKENS.slice(0, 3));
    await valuesOf(runAutoregressive(parameters, TOKENS.slice(0, 3)));
    expect(tf.memory().numTensors).toBe(before);
  });

  it('draws N tokens in N steps, the same ones for the same noise', async () => {
    const before = tf.memory().numTensors;
    const sample = async (): Promise<number[]> => {
      const cache = createCache(parameters, CONFIG.positions);
      let steps = 0;
      const next = (previous: number | null): Promise<Float32Array> => {
        steps += 1;
        return valuesOf(runAutoregressiveStep(parameters, cache, previous));
      };
      const tokens: number[] = [];
      const noise = new CounterNoise(3);
      for await (const { token } of sampleInOrder(next, 8, { temperature: 1 }, noise)) tokens.push(token);
      expect(steps).toBe(8);
      expect(cache.length).toBe(8);
      disposeCache(cache);
      return tokens;
    };
    const tokens = await sample();
    expect(new Set(tokens).size).toBeGreaterThan(1);
    expect(await sample()).toEqual(tokens);
    expect(tf.memory().numTensors).toBe(before);
  });

  it('refuses a step beyond its cache, a token at the start, and none later', async () => {
    const cache = createCache(parameters, 1);
    expect(() => runAutoregressiveStep(parameters, cache, 4)).toThrow('position 0 follows no token');
    runAutoregressiveStep(parameters, cache, null).dispose();
    expect(() => runAutoregressiveStep(parameters, cache, 4)).toThrow('the cache is full at 1 positions');
    expect(() => createCache(parameters, 9)).toThrow('room for 9 positions');
    disposeCache(cache);
    const other = createCache(parameters, 2);
    runAutoregressiveStep(parameters, other, null).dispose();
    expect(() => runAutoregressiveStep(parameters, other, null)).toThrow('position 1 follows a token');
    disposeCache(other);
  });
});
