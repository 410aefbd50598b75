/**
 * A model whose weights stay packed on the device, against the same model with the same weights as float32 there: bytes,
 * logits and drawn codes; and that many passes in a row keep nothing. On the trained model, at few tokens, and the tiny one.
 */
import { readFileSync } from 'node:fs';
import type { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, expect, it } from 'vitest';
import type { ModelConfig } from '../config/model';
import { onBackend, onEachBackend } from '../kernels/testing/parity';
import { type Manifest, parseManifest, StoredWeights } from '../loader';
import { float32Reader, type WeightReader } from '../model/parameters';
import {
  readTransformer,
  runTransformer,
  type TokenSets,
  type TransformerParameters,
} from '../model/transformer';
import { drawCodes } from '../sampling/filtering';
import { CounterNoise } from '../sampling/random';
import { packTinyModel, TINY_MODEL } from './testing/tinyModel';

/** Packed, 10.5 M weights are 11.6 MB: a quarter, and float32 scales, biases, norms, token embedding and latent tokens. */
const MOST_OF_FLOAT32 = 0.3;
/** The weights have the same values, so that only the order of rounding differs; logits are near ±10. */
const LOGIT_TOLERANCE = 5e-4;
/** Two blocks: a software GPU takes its time over twenty passes. */
const SHALLOW: ModelConfig = {
  ...TINY_MODEL,
  transformer: { ...TINY_MODEL.transformer, modes: ['latent_enc', 'latent_dec'] },
};
const FOLDER = new URL('../../weights/sky-64/', import.meta.url);

async function trainedModel(): Promise<Manifest> {
  return parseManifest(readFileSync(new URL('manifest.json', FOLDER), 'utf8'), 'sky-64');
}

const readerOf = (manifest: Manifest): StoredWeights =>
  new StoredWeights(
    manifest,
    manifest.shards.map(({ file }) => new Uint8Array(readFileSync(new URL(file, FOLDER))).buffer),
  );

const free = (transformer: TransformerParameters): void =>
  tf.dispose(transformer as unknown as tf.TensorContainer);

async function logitsOf(transformer: TransformerParameters, sets: TokenSets): Promise<Float32Array> {
  const logits = runTransformer(transformer, sets);
  const values = await logits.data<'float32'>();
  logits.dispose();
  return values;
}

/** Logits, and bytes of the parameters' tensors. */
async function measure(
  manifest: Manifest,
  read: WeightReader,
  sets: TokenSets,
): Promise<{ bytes: number; logits: Float32Array }> {
  const before = tf.memory().numBytes;
  const transformer = readTransformer(manifest.model.transformer, read);
  const bytes = tf.memory().numBytes - before;
  const logits = await logitsOf(transformer, sets);
  free(transformer);
  return { bytes, logits };
}

onBackend('webgpu', 'the trained model, packed against float32,', () => {
  const sets: TokenSets = {
    tokens: Int32Array.from({ length: 40 }, (_, i) => (i * 37) % 1024),
    context: Int32Array.of(3, 17, 5, 30),
    target: Int32Array.from({ length: 12 }, (_, i) => 39 - 3 * i),
  };
  let packed: Awaited<ReturnType<typeof measure>>;
  let plain: Awaited<ReturnType<typeof measure>>;

  beforeAll(async () => {
    const manifest = await trainedModel();
    const stored = readerOf(manifest);
    plain = await measure(
      manifest,
      float32Reader((name, shape) => stored.tensor(name, shape)),
      sets,
    );
    packed = await measure(manifest, readerOf(manifest), sets);
  }, 300_000);

  it('takes less than a third of the bytes on the device', () => {
    const share = packed.bytes / plain.bytes;
    console.log(`packed: ${packed.bytes} of ${plain.bytes} bytes, ${share.toFixed(3)}`);
    expect(share).toBeLessThan(MOST_OF_FLOAT32);
  });

  it('gives the same logits but for rounding, and draws the same codes', () => {
    const gap = packed.logits.reduce((most, x, i) => Math.max(most, Math.abs(x - (plain.logits[i] ?? 0))), 0);
    console.log(`packed: logits differ by ${gap.toExponential(1)} at most`);
    expect(packed.logits.length).toBe(12 * 1024);
    expect(gap).toBeLessThan(LOGIT_TOLERANCE);
    const draw = (logits: Float32Array, step: number): Int32Array =>
      drawCodes(logits, {
        batch: 1,
        target: sets.target,
        filter: { temperature: 1 },
        noise: new CounterNoise(7),
        step,
      }).samples;
    const steps = Array.from({ length: 20 }, (_, step) => step);
    const different = steps.flatMap((step) => {
      const others = draw(plain.logits, step);
      return [...draw(packed.logits, step)].filter((code, i) => code !== others[i]);
    });
    console.log(`packed: ${different.length} of ${20 * sets.target.length} codes drawn differ`);
    expect(different.length / (20 * sets.target.length)).toBeLessThan(0.01);
  });
});

onEachBackend('twenty passes in a row', (backend) => {
  it('keep no tensors and no bytes', async () => {
    const { manifest: text, files } = packTinyModel(SHALLOW);
    const manifest = await parseManifest(text, 'tiny');
    const weights = new StoredWeights(
      manifest,
      [...files.values()].map((bytes) => bytes.buffer),
    );
    const before = tf.memory().numTensors;
    const transformer = readTransformer(SHALLOW.transformer, weights);
    const memory = (): Record<string, number> => {
      const { numTensors, numBytes, numDataBuffers } = tf.memory();
      const gpu = backend === 'webgpu' ? (tf.backend() as WebGPUBackend).memory() : {};
      return { numTensors, numBytes, numDataBuffers, ...gpu } as Record<string, number>;
    };
    const pass = () =>
      logitsOf(transformer, {
        tokens: new Int32Array(12),
        context: Int32Array.of(1, 2, 3),
        target: Int32Array.of(4, 5, 6, 7, 8),
      });
    const first = await pass();
    await pass(); // The second finds the first one's buffers to use again.
    const afterTwo = memory();
    for (let i = 2; i < 20; i++) expect(await pass()).toEqual(first);
    expect(memory()).toEqual(afterTwo);
    free(transformer);
    expect(tf.memory().numTensors).toBe(before);
  });
});
