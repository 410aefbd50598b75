import * as tf from '@tensorflow/tfjs-core';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Extent3, ModelConfig } from '../config/model';
import { switchBackend } from '../kernels/testing/backends';
import { lookUp } from './codebook';
import { decodeInChunks } from './decodeInChunks';
import { type DecoderParameters, readDecoder, runDecoder } from './decoder';
import { type KernelExtents, randomReader } from './initialization';

const GRID: Extent3 = [7, 3, 4];

function config(norm: 'none' | 'affine' | 'group'): ModelConfig {
  const channels = norm === 'group' ? 32 : 6;
  return {
    transformer: { width: 8, heads: 2, latentTokens: 2, vocabulary: 8, positions: 84, modes: [] },
    tokenizer: {
      codes: 8,
      codeWidth: 5,
      norm,
      decoder: [
        { channels, stride: [2, 1, 1], residualBlocks: 2 },
        { channels, stride: [2, 2, 2], residualBlocks: 1 },
        { channels, stride: [1, 2, 2], residualBlocks: 1 },
      ],
    },
    grid: GRID,
    frameRate: 8,
    sampling: {},
  };
}

/** As the official tokenizer has it, and as a smaller one may. */
const KERNELS: Record<string, KernelExtents> = {
  'kernels of 4': { up: () => [4, 4, 4] },
  'mixed kernels': {
    up: (i) => (i === 2 ? [3, 4, 4] : [4, 4, 4]),
    decoderBlocks: (i) => (i === 2 ? [1, 3, 3] : [3, 3, 3]),
    ends: [1, 3, 3],
  },
};

let parameters: DecoderParameters | undefined;
let latents: tf.Tensor5D | undefined;

function setUp(norm: 'none' | 'affine' | 'group', kernels: KernelExtents): [DecoderParameters, tf.Tensor5D] {
  const model = config(norm);
  parameters = readDecoder(model.tokenizer, randomReader(model, 3, kernels));
  latents = lookUp(
    parameters.codebook,
    Int32Array.from({ length: 7 * 3 * 4 }, (_, i) => (i * 5) % 8),
    GRID,
  );
  return [parameters, latents];
}

beforeAll(async () => {
  await switchBackend('wasm');
});

afterEach(() => {
  tf.dispose([parameters, latents] as unknown as tf.TensorContainer);
  expect(tf.memory().numTensors).toBe(0);
});

describe.each(Object.entries(KERNELS))('decodeInChunks, %s', (_, kernels) => {
  it.each([1, 2, 3, 7, 20])(
    '%i latent frames at a time give the frames of the whole decode',
    async (size) => {
      const [decoder, z] = setUp('affine', kernels);
      const whole = runDecoder(decoder, z);
      const chunks: tf.Tensor5D[] = [];
      let done = 0;
      for await (const chunk of decodeInChunks(decoder, z, size)) {
        expect(chunk.firstFrame).toBe(chunks.reduce((sum, { shape }) => sum + shape[1], 0));
        expect(chunk.done).toBe(Math.min(7, done + size));
        done = chunk.done;
        chunks.push(chunk.frames);
      }
      const joined = tf.concat(chunks, 1);
      expect(joined.shape).toEqual(whole.shape);
      expect(largestDifference(joined, whole)).toBeLessThan(1e-6);
      tf.dispose([whole, joined, ...chunks]);
    },
  );
});

describe('decodeInChunks', () => {
  it('frees everything when it is left early', async () => {
    const [decoder, z] = setUp('none', {});
    const before = tf.memory().numTensors;
    for await (const { frames } of decodeInChunks(decoder, z)) {
      frames.dispose();
      break;
    }
    expect(tf.memory().numTensors).toBe(before);
  });

  it('gives one chunk where a norm looks at the whole clip', async () => {
    const [decoder, z] = setUp('group', {});
    let chunks = 0;
    for await (const { frames, done, total } of decodeInChunks(decoder, z)) {
      chunks++;
      expect(done).toBe(total);
      frames.dispose();
    }
    expect(chunks).toBe(1);
  });

  it('refuses a chunk of no frames', async () => {
    const [decoder, z] = setUp('none', {});
    await expect(decodeInChunks(decoder, z, 0).next()).rejects.toThrow(/latentFrames must be a whole number/);
  });
});

function largestDifference(a: tf.Tensor, b: tf.Tensor): number {
  return tf.tidy(() => tf.max(tf.abs(tf.sub(a, b))).dataSync()[0] ?? Number.NaN);
}
