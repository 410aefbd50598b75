import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Extent3, ModelConfig } from '../config/model';
import type { Conv3dWeights } from '../kernels/conv3d';
import { SUBMIT_FLOPS } from '../kernels/gpu';
import { switchBackend } from '../kernels/testing/backends';
import { type ClipOperations, tensorClips } from './clips';
import { lookUp } from './codebook';
import { chunkLength, LARGEST_BINDING, planDecode, planWholeDecode } from './decodePlan';
import { readDecoder } from './decoder';
import { decoderStream, endOf, type StreamedLayers } from './decoderStream';
import { randomReader } from './initialization';

const GRID: Extent3 = [9, 3, 4];
const MODEL: ModelConfig = {
  transformer: { width: 8, heads: 2, latentTokens: 2, vocabulary: 8, positions: 108, modes: [] },
  tokenizer: {
    codes: 8,
    codeWidth: 5,
    norm: 'affine',
    decoder: [
      { channels: 6, stride: [2, 1, 1], residualBlocks: 2 },
      { channels: 4, stride: [2, 2, 2], residualBlocks: 1 },
    ],
  },
  grid: GRID,
  frameRate: 8,
  sampling: {},
};

beforeAll(async () => {
  await switchBackend('wasm');
});

/** Tensors' own clips, with a look at the bytes alive after every operation; `tf.memory` counts views of data, too. */
function watched(latents: tf.Tensor5D): { clips: ClipOperations<tf.Tensor5D>; most: () => number } {
  const made = new Map<object, number>([[latents.dataId, 4 * latents.size]]);
  let most = 0;
  const seen = (clip: tf.Tensor5D): tf.Tensor5D => {
    made.set(clip.dataId, 4 * clip.size);
    const alive = [...made].filter(([dataId]) => tf.engine().state.tensorInfo.has(dataId));
    most = Math.max(
      most,
      alive.reduce((sum, [, bytes]) => sum + bytes, 0),
    );
    return clip;
  };
  const clips: ClipOperations<tf.Tensor5D> = {
    ...tensorClips,
    convolve: (...all) => seen(tensorClips.convolve(...all)),
    upConvolve: (...all) => seen(tensorClips.upConvolve(...all)),
    normSilu: (...all) => seen(tensorClips.normSilu(...all)),
    slice: (...all) => seen(tensorClips.slice(...all)),
    join: (...all) => seen(tensorClips.join(...all)),
  };
  return { clips, most: () => most };
}

it.each([
  ['affine', 1],
  ['affine', 2],
  ['affine', 3],
  ['affine', 5],
  ['affine', 9],
  ['none', 1],
  ['none', 2],
] as const)('of norms "%s" plans what %i latent frames at a time take, to the byte', (norm, length) => {
  const tokenizer = { ...MODEL.tokenizer, norm };
  const parameters = readDecoder(tokenizer, randomReader({ ...MODEL, tokenizer }, 3));
  const before = tf.memory().numBytes;
  const latents = lookUp(parameters.codebook, new Int32Array(9 * 3 * 4), GRID);
  const { clips, most } = watched(latents);
  const stream = decoderStream(clips, parameters, latents, length);
  for (let done = 0; done < 9; ) {
    const first = endOf(stream, done, 9);
    done = Math.min(9, done + length);
    stream.produce(first, endOf(stream, done, 9)).dispose();
  }
  stream.dispose();
  expect(planDecode(parameters, latents.shape, length).peakBytes).toBe(most());
  latents.dispose();
  expect(tf.memory().numBytes).toBe(before);
  tf.dispose(parameters as unknown as tf.TensorContainer);
});

describe('the official decoder, 128 frames at 128×128', () => {
  const LATENTS = [1, 32, 16, 16, 256] as const;

  /** Of its layers, what a plan looks at; all kernels are 4 or 3 but for the first. */
  function officialLayers(): StreamedLayers {
    const weight = tf.tensor5d([0], [1, 1, 1, 1, 1]);
    const bias = tf.tensor1d([0]);
    const conv = (inputs: number, outputs: number, k: number): Conv3dWeights => {
      return { kernel: [k, k, k], inputs, outputs, layout: 'plain', weight, bias };
    };
    const norm = { kind: 'affine', scale: bias, bias } as const;
    const widths = [256, 256, 128, 64];
    const strides: Extent3[] = [
      [2, 2, 2],
      [2, 2, 2],
      [1, 2, 2],
    ];
    return {
      postQuantization: conv(256, 256, 1),
      inputNorm: norm,
      stages: strides.map((stride, i) => {
        const [inputs, outputs] = [widths[i] ?? 0, widths[i + 1] ?? 0];
        const layer = conv(outputs, outputs, 3);
        const block = { norm1: norm, conv1: layer, norm2: norm, conv2: layer };
        return { up: { kernel: [4, 4, 4], stride, inputs, outputs, weight, bias }, blocks: [block, block] };
      }),
      output: conv(64, 3, 3),
    };
  }

  it('binds nothing over 128 MiB, in bounded memory and in short submits', () => {
    const layers = officialLayers();
    const length = chunkLength(layers, LATENTS);
    const { largestBuffer, peakBytes, heaviestLayer } = planDecode(layers, LATENTS, length);
    expect(length).toBe(1);
    expect(largestBuffer).toBe(24 * 2 ** 20);
    expect(peakBytes).toBe(172.5 * 2 ** 20);
    expect(heaviestLayer).toBeLessThan(1.1 * SUBMIT_FLOPS);
    // More frames of the clip do not take more memory, but for their latents.
    const half = planDecode(layers, [1, 16, 16, 16, 256], length);
    expect(peakBytes - half.peakBytes).toBe(16 * 16 * 16 * 256 * 4);
  });

  it('in one piece would bind a clip of 512 MiB', () => {
    const { largestBuffer, peakBytes } = planWholeDecode(officialLayers(), [1, 32, 16, 16]);
    expect(largestBuffer).toBe(512 * 2 ** 20);
    expect(peakBytes).toBe(3 * largestBuffer);
    expect(planWholeDecode(officialLayers(), [1, 8, 16, 16]).largestBuffer).toBe(LARGEST_BINDING);
  });
});

it('a small decoder gets an eighth of its clip at a time', () => {
  const parameters = readDecoder(MODEL.tokenizer, randomReader(MODEL, 3));
  expect(chunkLength(parameters, [1, 9, 3, 4, 5])).toBe(2);
  expect(chunkLength(parameters, [1, 32, 3, 4, 5])).toBe(4);
  tf.dispose(parameters as unknown as tf.TensorContainer);
});
