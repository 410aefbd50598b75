// The plan beside what is measured: a forward pass and a decode, each at its worst, on every backend there is.

import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import type { ModelConfig } from '../config/model';
import { onBackend } from '../kernels/testing/parity';
import { parseManifest, StoredWeights } from '../loader';
import { packModel } from '../loader/testing/pack';
import { lookUp } from '../model/codebook';
import { decodeInChunks } from '../model/decodeInChunks';
import { CounterNoise } from '../sampling/random';
import { createEngine, type Engine } from './engine';
import { planMemory } from './memory';
import { peakBytes } from './peakBytes';
import { predictorOf } from './predict';
import { tinyTensors } from './testing/tinyModel';

/** Large enough that tables and small tensors do not count. */
const MODEL: ModelConfig = {
  transformer: {
    width: 64,
    heads: 4,
    latentTokens: 16,
    vocabulary: 256,
    positions: 256,
    modes: ['latent_enc', 'latent_self', 'latent_enc', 'latent_dec', 'lt2l', 'latent_dec'],
  },
  tokenizer: {
    codes: 256,
    codeWidth: 16,
    norm: 'affine',
    decoder: [
      { channels: 16, stride: [2, 2, 2], residualBlocks: 1 },
      { channels: 8, stride: [1, 2, 2], residualBlocks: 1 },
    ],
  },
  grid: [4, 8, 8],
  frameRate: 16,
  sampling: {},
};
const DENSE: ModelConfig = {
  ...MODEL,
  transformer: { ...MODEL.transformer, modes: ['maskgit', 'maskgit'] },
  tokenizer: {
    ...MODEL.tokenizer,
    norm: 'group',
    decoder: [{ channels: 32, stride: [2, 4, 4], residualBlocks: 1 }],
  },
};

async function engineOf(model: ModelConfig): Promise<Engine> {
  const packed = packModel(tinyTensors(model), { name: 'mid', model, shardBytes: 2 ** 24 });
  const manifest = await parseManifest(packed.manifest, 'test');
  const shards = [...packed.files.values()].map((bytes) => bytes.buffer);
  return createEngine(manifest, new StoredWeights(manifest, shards));
}

/**
 * Bytes that one forward pass takes, with so many of the tokens known, and so many of the others not asked for; guided
 * ones with the pass that guides.
 */
async function passBytes(
  { manifest, transformer }: Engine,
  known: number,
  masked: number,
  guidance = 0,
): Promise<number> {
  const [t, h, w] = manifest.model.grid;
  const positions = Int32Array.from({ length: t * h * w }, (_, i) => i);
  const { predict, dispose } = predictorOf(transformer);
  const { bytes } = await peakBytes(() =>
    predict({
      batch: 1,
      tokens: new Int32Array(positions.length),
      context: positions.slice(0, known),
      target: positions.slice(known + masked),
      masked: positions.slice(known, known + masked),
      filter: { temperature: 1, guidance },
      noise: new CounterNoise(0),
      step: 0,
    }),
  );
  dispose();
  return bytes;
}

async function decodeBytes({ manifest, decoder }: Engine): Promise<number> {
  const { grid } = manifest.model;
  const { bytes } = await peakBytes(async () => {
    const latents = lookUp(decoder.codebook, new Int32Array(grid[0] * grid[1] * grid[2]), grid);
    for await (const { frames } of decodeInChunks(decoder, latents)) {
      await frames.data();
      frames.dispose();
    }
    latents.dispose();
  });
  return bytes;
}

/** Room for what differs from model to model; less would name a clip as too long that is not. */
const AT_MOST = 2;

for (const backend of ['wasm', 'webgpu'] as const) {
  onBackend(backend, 'planMemory', () => {
    it.each([
      ['MeBT, norms per channel', MODEL],
      ['dense, norms over the clip', DENSE],
    ])(
      'is at least what is measured and at most twice that: %s',
      async (_, model) => {
        const engine = await engineOf(model);
        const plan = planMemory(engine.manifest, { backend }, model.grid[0]);
        const tokens = model.grid[0] * model.grid[1] * model.grid[2];
        const weights = tf.memory().numBytes;
        // Nothing known is the worst of MeBT, one token left that of dense blocks; half of the targets are cut off.
        const pass = Math.max(
          await passBytes(engine, 0, 0),
          await passBytes(engine, tokens - 1, 0),
          await passBytes(engine, 0, tokens / 2),
          await passBytes(engine, 0, 1),
          await passBytes(engine, 1, 0, 1),
          await passBytes(engine, tokens - 1, 0, 1),
        );
        const decode = await decodeBytes(engine);
        engine.dispose();
        for (const [planned, measured] of [
          [plan.transformer, pass],
          [plan.decoder, decode],
        ] as const) {
          expect(planned).toBeGreaterThanOrEqual(measured);
          expect(planned).toBeLessThanOrEqual(AT_MOST * measured);
        }
        // XNNPACK's copies of what it multiplies by lie in its heap, and are no tensors.
        const copies = engine.manifest.tensors
          .filter(
            ({ name, shape }) =>
              backend === 'wasm' && shape.length === 2 && /^transformer\..*\.weight$/.test(name),
          )
          .reduce((sum, { shape: [rows = 0, columns = 0] }) => sum + 4 * rows * columns, 0);
        expect(Math.abs(plan.weights / (weights + copies) - 1)).toBeLessThan(0.01);
      },
      600_000,
    );
  });
}
