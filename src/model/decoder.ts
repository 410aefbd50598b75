/** The tokenizer's decoder, latents to frames in one go. For long clips and for progress see decodeInChunks.ts. */
import type * as tf from '@tensorflow/tfjs-core';
import type { TokenizerConfig } from '../config/model';
import { type Conv3dWeights, conv3d } from '../kernels/conv3d';
import {
  type ConvTranspose3dWeights,
  convTranspose3d,
  prepareConvTranspose3d,
} from '../kernels/convTranspose3d';
import type { Observe, WeightReader } from './parameters';
import {
  layerRunner,
  type Norm,
  type ResidualBlock,
  readConv3d,
  readNorm,
  readResidualBlock,
  runConvNormSilu,
  runResidualBlock,
} from './tokenizer';

export interface DecoderStage {
  readonly up: ConvTranspose3dWeights;
  readonly blocks: readonly ResidualBlock[];
}

export interface DecoderParameters {
  readonly config: TokenizerConfig;
  /** [U, D] */
  readonly codebook: tf.Tensor2D;
  readonly postQuantization: Conv3dWeights;
  readonly inputNorm: Norm;
  readonly stages: readonly DecoderStage[];
  readonly output: Conv3dWeights;
}

/**
 * Reads codebook and decoder; the tensors then belong to the result: free them with `tf.dispose(parameters)`.
 * C0, the width before the first stage, is what the post-quantisation weights give.
 */
export function readDecoder(config: TokenizerConfig, read: WeightReader): DecoderParameters {
  const { codes, codeWidth, norm, decoder } = config;
  const inputs = readFreeWidth(read, 'tokenizer.postQuantization.weight', [1, 1, 1, codeWidth, -1]);
  const postQuantization = readConv3d(read, 'tokenizer.postQuantization', codeWidth, inputs);
  let channels = inputs;
  const stages = decoder.map((stage, i) => {
    const name = `tokenizer.decoder.stages.${i}`;
    const up = prepareConvTranspose3d(
      read.tensor(`${name}.up.weight`, [-1, -1, -1, channels, stage.channels]) as tf.Tensor5D,
      read.tensor(`${name}.up.bias`, [stage.channels]) as tf.Tensor1D,
      stage.stride,
    );
    channels = stage.channels;
    const blocks = Array.from({ length: stage.residualBlocks }, (_, j) =>
      readResidualBlock(norm, read, `${name}.blocks.${j}`, stage.channels),
    );
    return { up, blocks };
  });
  return {
    config,
    codebook: read.tensor('tokenizer.codebook', [codes, codeWidth]) as tf.Tensor2D,
    postQuantization,
    inputNorm: readNorm(norm, read, 'tokenizer.decoder.inputNorm', inputs),
    stages,
    output: readConv3d(read, 'tokenizer.decoder.output', channels, 3),
  };
}

/** The extent that `shape` leaves free at its end. */
function readFreeWidth(read: WeightReader, name: string, shape: readonly number[]): number {
  const weight = read.tensor(name, shape);
  const width = weight.shape[weight.shape.length - 1] ?? 0;
  weight.dispose();
  return width;
}

/**
 * latents [B, T', H', W', D] -> frames [B, T, H, W, 3]. The caller disposes the result.
 * `observe` sees `post_vq_conv`, `final_block.norm`, `final_block`, `conv_blocks.<i>.up`, `.res<j>`,
 * `.res<j>.norm1/conv1/norm2/conv2` and `video`, all channels last.
 */
export function runDecoder(
  parameters: DecoderParameters,
  latents: tf.Tensor5D,
  observe?: Observe,
): tf.Tensor5D {
  const { postQuantization, inputNorm, stages, output } = parameters;
  const step = layerRunner(latents, observe);
  let x = step(
    latents,
    (v) => runConvNormSilu(() => v, postQuantization, inputNorm, 'post_vq_conv', 'final_block.norm', observe),
    'final_block',
  );
  stages.forEach(({ up, blocks }, i) => {
    x = step(x, (v) => convTranspose3d(v, up), `conv_blocks.${i}.up`);
    blocks.forEach((block, j) => {
      const name = `conv_blocks.${i}.res${j + 1}`;
      x = step(x, (v) => runResidualBlock(block, v, name, observe), name);
    });
  });
  return step(x, (v) => conv3d(v, output), 'video');
}
