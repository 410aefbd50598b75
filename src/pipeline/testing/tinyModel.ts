/**
 * A model of a few kilobytes with fixed random weights, for tests: 16×16 pixels, up to 32 frames. Its clips show
 * coloured noise; what matters is that every part of the real thing is in it.
 */
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import type { ModelConfig } from '../../config/model';
import type { PlainTensor } from '../../loader/testing/pack';
import { type PackedModel, packModel } from '../../loader/testing/pack';
import { readDecoder } from '../../model/decoder';
import { readTransformer } from '../../model/transformer';

export const TINY_MODEL: ModelConfig = {
  transformer: {
    width: 16,
    heads: 2,
    latentTokens: 4,
    vocabulary: 32,
    positions: 128,
    modes: ['latent_enc', 'latent_self', 'latent_enc', 'latent_dec', 'lt2l', 'latent_dec'],
  },
  tokenizer: {
    codes: 32,
    codeWidth: 8,
    norm: 'affine',
    decoder: [
      { channels: 8, stride: [2, 2, 2], residualBlocks: 1 },
      { channels: 8, stride: [2, 2, 2], residualBlocks: 1 },
    ],
  },
  grid: [8, 4, 4],
  frameRate: 16,
  sampling: {},
};

const PREVIEW_PATCH = 2;
/** Extents that the configuration leaves to the weights: kernels, and the decoder's first width. */
const FREE_WIDTH = 8;
const UP_KERNEL = 4;
const SAME_KERNEL = 3;

/** The tensors that `config` asks for, in the order in which a reader meets them. */
export async function tinyTensors(config: ModelConfig = TINY_MODEL, seed = 1): Promise<PlainTensor[]> {
  await tf.setBackend('cpu');
  const tensors = new Map<string, PlainTensor>();
  const random = gaussian(seed);
  const read = (name: string, asked: readonly number[]): tf.Tensor => {
    const known = tensors.get(name);
    const tensor = known ?? randomTensor(name, extentsOf(name, asked), random);
    tensors.set(name, tensor);
    return tf.tensor(tensor.values, [...tensor.shape], 'float32');
  };
  tf.tidy(() => {
    readTransformer(config.transformer, read);
    readDecoder(config.tokenizer, read);
    read('preview.weight', [config.tokenizer.codeWidth, PREVIEW_PATCH ** 2 * 3]);
    read('preview.bias', [PREVIEW_PATCH ** 2 * 3]);
  });
  return [...tensors.values()];
}

/** Several shards, so that a test can spoil one of them. */
export async function packTinyModel(config: ModelConfig = TINY_MODEL): Promise<PackedModel> {
  return packModel(await tinyTensors(config), { name: 'tiny', model: config, shardBytes: 16 * 1024 });
}

function extentsOf(name: string, asked: readonly number[]): number[] {
  const kernel = name.endsWith('.up.weight') ? UP_KERNEL : SAME_KERNEL;
  return asked.map((extent, axis) => {
    if (extent >= 0) return extent;
    return asked.length === 5 && axis < 3 ? kernel : FREE_WIDTH;
  });
}

function randomTensor(name: string, shape: readonly number[], random: () => number): PlainTensor {
  const size = shape.reduce((product, axis) => product * axis, 1);
  const matrix = shape.length > 1 && !/[eE]mbedding|latentTokens|codebook/.test(name);
  const spread = matrix ? 1.5 / Math.sqrt(size / (shape.at(-1) ?? 1)) : 1;
  const values = Float32Array.from({ length: size }, () => {
    if (name.endsWith('.scale')) return 1 + 0.1 * random();
    if (name.endsWith('.bias')) return 0.1 * random();
    return spread * random();
  });
  return { name, shape, values, dtype: matrix ? 'int8' : 'float16' };
}

/** Standard normal numbers: mulberry32 (Tommy Ettinger, public domain) and the Box-Muller transform. */
function gaussian(seed: number): () => number {
  let state = seed >>> 0;
  const uniform = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let x = Math.imul(state ^ (state >>> 15), state | 1);
    x ^= x + Math.imul(x ^ (x >>> 7), x | 61);
    return ((x ^ (x >>> 14)) >>> 0) / 2 ** 32;
  };
  return () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());
}
