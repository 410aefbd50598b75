/**
 * A model of a few kilobytes with fixed random weights, for tests: 16×16 pixels, up to 32 frames. Its clips show
 * coloured noise; what matters is that every part of the real thing is in it.
 */
import type { ModelConfig } from '../../config/model';
import { type PackedModel, type PlainTensor, packModel } from '../../loader/testing/pack';
import { listWeights, randomWeight, type WeightShape } from '../../model/initialization';

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

/** The same, told what a clip is of. */
export const TOLD_MODEL: ModelConfig = {
  ...TINY_MODEL,
  transformer: {
    ...TINY_MODEL.transformer,
    traits: [
      { name: 'hour', values: ['day', 'night'], shares: [[3, 1]], course: true },
      {
        name: 'moon',
        values: ['no', 'yes'],
        shares: [
          [9, 1],
          [1, 3],
        ],
      },
    ],
  },
};

const PREVIEW_PATCH = 2;

/** Every tensor that `config` asks for. */
export function tinyTensors(config: ModelConfig = TINY_MODEL, seed = 1): PlainTensor[] {
  const channels = PREVIEW_PATCH ** 2 * 3;
  const preview: readonly WeightShape[] = [
    { name: 'preview.weight', shape: [config.tokenizer.codeWidth, channels] },
    { name: 'preview.bias', shape: [channels] },
  ];
  return [...listWeights(config), ...preview].map((weight) => ({
    ...weight,
    values: randomWeight(weight, seed),
    dtype: weight.name.endsWith('.weight') ? 'int8' : 'float16',
  }));
}

/** Several shards, so that a test can spoil one of them. */
export function packTinyModel(config: ModelConfig = TINY_MODEL): PackedModel {
  return packModel(tinyTensors(config), { name: 'tiny', model: config, shardBytes: 16 * 1024 });
}
