/** The tokenizer's encoder, frames to latents and to ids. Used for clips given as context and by tests. */
import type * as tf from '@tensorflow/tfjs-core';
import type { Extent3, TokenizerConfig } from '../config/model';
import { type Conv3dWeights, conv3d } from '../kernels/conv3d';
import { nearestCodes } from './codebook';
import type { Observe, WeightReader } from './parameters';
import {
  layerRunner,
  type Norm,
  type ResidualBlock,
  readConv3d,
  readNorm,
  readResidualBlock,
  runNormSilu,
  runResidualBlock,
} from './tokenizer';

export interface EncoderStage {
  readonly stride: Extent3;
  readonly down: Conv3dWeights;
  readonly blocks: readonly ResidualBlock[];
}

export interface EncoderParameters {
  readonly config: TokenizerConfig;
  readonly input: Conv3dWeights;
  readonly stages: readonly EncoderStage[];
  readonly outputNorm: Norm;
  readonly preQuantization: Conv3dWeights;
}

/** Reads the encoder; the tensors then belong to the result. Throws when the configuration has no encoder. */
export function readEncoder(config: TokenizerConfig, read: WeightReader): EncoderParameters {
  const { codeWidth, norm, encoder } = config;
  if (!encoder) {
    throw new Error(
      'readEncoder: this model was exported without an encoder (tokenizer.encoder is missing).',
    );
  }
  const inputWeight = read.tensor('tokenizer.encoder.input.weight', [-1, -1, -1, 3, -1]);
  let channels = inputWeight.shape[4] ?? 0;
  inputWeight.dispose();
  const input = readConv3d(read, 'tokenizer.encoder.input', 3, channels);
  const stages = encoder.map((stage, i) => {
    const name = `tokenizer.encoder.stages.${i}`;
    const down = readConv3d(read, `${name}.down`, channels, stage.channels);
    channels = stage.channels;
    const blocks = Array.from({ length: stage.residualBlocks }, (_, j) =>
      readResidualBlock(norm, read, `${name}.blocks.${j}`, stage.channels),
    );
    return { stride: stage.stride, down, blocks };
  });
  return {
    config,
    input,
    stages,
    outputNorm: readNorm(norm, read, 'tokenizer.encoder.outputNorm', channels),
    preQuantization: readConv3d(read, 'tokenizer.preQuantization', channels, codeWidth),
  };
}

/**
 * clip [B, T, H, W, 3] in ±0.5 -> pre-quantisation vectors [B, T', H', W', D]. The caller disposes the result.
 * `observe` sees `conv_first`, `conv_blocks.<i>.down`, `.res` (`.res<j>` where a stage has several), `final_block.norm`,
 * `final_block` and `pre_vq_conv`, all channels last.
 */
export function runEncoder(parameters: EncoderParameters, clip: tf.Tensor5D, observe?: Observe): tf.Tensor5D {
  const { input, stages, outputNorm, preQuantization } = parameters;
  const step = layerRunner(clip, observe);
  let x = step(clip, (v) => conv3d(v, input), 'conv_first');
  stages.forEach(({ stride, down, blocks }, i) => {
    x = step(x, (v) => conv3d(v, down, { stride }), `conv_blocks.${i}.down`);
    blocks.forEach((block, j) => {
      const name = `conv_blocks.${i}.res${blocks.length > 1 ? j + 1 : ''}`;
      x = step(x, (v) => runResidualBlock(block, v, name, observe), name);
    });
  });
  x = step(x, (v) => runNormSilu(outputNorm, v, 'final_block.norm', observe), 'final_block');
  return step(x, (v) => conv3d(v, preQuantization), 'pre_vq_conv');
}

/** clip [B, T, H, W, 3] in ±0.5 -> ids of the nearest codes, [B·T'·H'·W']. */
export async function encode(
  parameters: EncoderParameters,
  codebook: tf.Tensor2D,
  clip: tf.Tensor5D,
): Promise<Int32Array> {
  const vectors = runEncoder(parameters, clip);
  try {
    return await nearestCodes(codebook, vectors);
  } finally {
    vectors.dispose();
  }
}
