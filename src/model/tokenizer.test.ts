import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import type { Extent3, ModelConfig, TokenizerConfig } from '../config/model';
import { switchBackend, type TestBackend } from '../kernels/testing/backends';
import { onEachBackend } from '../kernels/testing/parity';
import { lookUp } from './codebook';
import { readDecoder, runDecoder } from './decoder';
import { encode, readEncoder, runEncoder } from './encoder';
import { listWeights, randomReader, randomWeight } from './initialization';
import { float32Reader } from './parameters';

const GRID: Extent3 = [2, 2, 3];

function modelWith(norm: TokenizerConfig['norm']): ModelConfig {
  const channels = norm === 'group' ? 32 : 6;
  return {
    transformer: { width: 8, heads: 2, latentTokens: 2, vocabulary: 8, positions: 12, modes: [] },
    tokenizer: {
      codes: 8,
      codeWidth: 5,
      norm,
      decoder: [
        { channels, stride: [2, 1, 1], residualBlocks: 1 },
        { channels, stride: [1, 2, 2], residualBlocks: 1 },
      ],
      encoder: [
        { channels: 2 * channels, stride: [1, 2, 2], residualBlocks: 1 },
        { channels, stride: [2, 1, 1], residualBlocks: 1 },
      ],
    },
    grid: GRID,
    frameRate: 8,
    sampling: {},
  };
}

interface Seen {
  readonly frames: Float32Array;
  readonly vectors: Float32Array;
  readonly ids: Int32Array;
  readonly names: readonly string[];
}

/** Decodes fixed ids and encodes the result again. */
async function roundTrip(
  backend: TestBackend,
  norm: TokenizerConfig['norm'],
  observed: boolean,
): Promise<Seen> {
  await switchBackend(backend);
  const start = tf.memory().numTensors;
  const model = modelWith(norm);
  const read = randomReader(model, 5);
  const decoder = readDecoder(model.tokenizer, read);
  const encoder = readEncoder(model.tokenizer, read);
  const latents = lookUp(
    decoder.codebook,
    Int32Array.from({ length: 12 }, (_, i) => (i * 5) % 8),
    GRID,
  );
  const names: string[] = [];
  const observe = observed ? (name: string): void => void names.push(name) : undefined;
  const clip = runDecoder(decoder, latents, observe);
  expect(clip.shape).toEqual([1, 4, 4, 6, 3]);
  const vectors = runEncoder(encoder, clip, observe);
  expect(vectors.shape).toEqual([1, ...GRID, 5]);
  const seen = {
    frames: (await clip.data()) as Float32Array,
    vectors: (await vectors.data()) as Float32Array,
    ids: await encode(encoder, decoder.codebook, clip),
    names,
  };
  tf.dispose([decoder, encoder, latents, clip, vectors] as unknown as tf.TensorContainer);
  expect(tf.memory().numTensors).toBe(start);
  return seen;
}

function largestDifference(a: Float32Array, b: Float32Array): number {
  return a.reduce((d, x, i) => Math.max(d, Math.abs(x - (b[i] ?? Number.NaN))), 0);
}

onEachBackend('the tokenizer', (backend) => {
  it.each(['none', 'affine', 'group'] as const)(
    'with norm %s agrees with the cpu, observed or not',
    async (norm) => {
      const expected = await roundTrip('cpu', norm, false);
      const plain = await roundTrip(backend, norm, false);
      const observed = await roundTrip(backend, norm, true);
      for (const got of [plain, observed]) {
        expect(largestDifference(got.frames, expected.frames)).toBeLessThan(5e-5);
        expect(largestDifference(got.vectors, expected.vectors)).toBeLessThan(5e-5);
        expect(got.ids).toEqual(expected.ids);
      }
      expect(observed.names).toContain('conv_blocks.1.res1.conv2');
      expect(observed.names.at(-1)).toBe('pre_vq_conv');
    },
  );
});

it('random weights cover exactly what a model reads, the same ones each time', async () => {
  await switchBackend('cpu');
  const model = modelWith('affine');
  const asked = new Set<string>();
  const read = randomReader(model, 5);
  const parameters = [readDecoder, readEncoder].map((readPart) =>
    readPart(
      model.tokenizer,
      float32Reader((name, shape) => {
        asked.add(name);
        return read.tensor(name, shape);
      }),
    ),
  );
  tf.dispose(parameters as unknown as tf.TensorContainer);
  const listed = listWeights(model).filter(({ name }) => name.startsWith('tokenizer.'));
  expect([...asked].sort()).toEqual(listed.map(({ name }) => name).sort());
  const weight = { name: 'a.weight', shape: [4, 4] };
  expect(randomWeight(weight, 1)).toEqual(randomWeight(weight, 1));
  expect(randomWeight(weight, 1)).not.toEqual(randomWeight(weight, 2));
});

it('an encoder that was not exported is missed in words', () => {
  const { encoder: _, ...config } = modelWith('none').tokenizer;
  const model = { ...modelWith('none'), tokenizer: config };
  expect(() => readEncoder(config, randomReader(model, 1))).toThrow(/exported without an encoder/);
});
