/**
 * What decoder and encoder share: their norms, residual blocks and 1×1×1 convolutions, and what they are read from.
 * Clips are [B, T, H, W, 3] with nominal range ±0.5 (unbounded), latents [B, T', H', W', D].
 */
import * as tf from '@tensorflow/tfjs-core';
import type { TokenizerConfig } from '../config/model';
import { channelAffine } from '../kernels/channelAffine';
import { type Conv3dWeights, conv3d, prepareConv3d } from '../kernels/conv3d';
import { groupNorm } from '../kernels/groupNorm';
import { silu } from '../kernels/silu';
import { type Observe, readScaleBias, type ScaleBias, type WeightReader } from './parameters';

/** A norm's kind and weights; `none` passes its input on. */
export type Norm = { readonly kind: 'none' } | ({ readonly kind: 'affine' | 'group' } & ScaleBias);

/** x + conv2(silu(norm2(conv1(silu(norm1(x)))))) */
export interface ResidualBlock {
  readonly norm1: Norm;
  readonly conv1: Conv3dWeights;
  readonly norm2: Norm;
  readonly conv2: Conv3dWeights;
}

/** Free kernel extents: they are the weights' own. */
const ANY_KERNEL = [-1, -1, -1] as const;

/** Reads `<name>.weight` [kt, kh, kw, inputs, outputs] and `<name>.bias`. */
export function readConv3d(read: WeightReader, name: string, inputs: number, outputs: number): Conv3dWeights {
  return prepareConv3d(
    read.tensor(`${name}.weight`, [...ANY_KERNEL, inputs, outputs]) as tf.Tensor5D,
    read.tensor(`${name}.bias`, [outputs]) as tf.Tensor1D,
  );
}

export function readNorm(
  kind: TokenizerConfig['norm'],
  read: WeightReader,
  name: string,
  channels: number,
): Norm {
  return kind === 'none' ? { kind } : { kind, ...readScaleBias(read, name, channels) };
}

export function readResidualBlock(
  kind: TokenizerConfig['norm'],
  read: WeightReader,
  name: string,
  channels: number,
): ResidualBlock {
  return {
    norm1: readNorm(kind, read, `${name}.norm1`, channels),
    conv1: readConv3d(read, `${name}.conv1`, channels, channels),
    norm2: readNorm(kind, read, `${name}.norm2`, channels),
    conv2: readConv3d(read, `${name}.conv2`, channels, channels),
  };
}

function runNorm(norm: Norm, x: tf.Tensor5D): tf.Tensor5D {
  switch (norm.kind) {
    case 'none':
      return x;
    case 'affine':
      return channelAffine(x, norm.scale, norm.bias);
    case 'group':
      return groupNorm(x, norm.scale, norm.bias);
  }
}

/** silu(norm(x)). When observed, the norm alone is made as well and reported under `normName`. */
export function runNormSilu(norm: Norm, x: tf.Tensor5D, normName: string, observe?: Observe): tf.Tensor5D {
  return tf.tidy(() => {
    if (norm.kind === 'affine' && !observe) return channelAffine(x, norm.scale, norm.bias, 'silu');
    if (norm.kind === 'group' && !observe) return groupNorm(x, norm.scale, norm.bias, { activation: 'silu' });
    const normal = runNorm(norm, x);
    observe?.(normName, normal);
    return silu(normal);
  });
}

/**
 * silu(norm(conv(x))) of the clip that `input` makes, which is freed before the norm runs. Without a norm it is one step,
 * unless it is observed: under `convName` and `normName`.
 */
export function runConvNormSilu(
  input: () => tf.Tensor5D,
  conv: Conv3dWeights,
  norm: Norm,
  convName: string,
  normName: string,
  observe?: Observe,
): tf.Tensor5D {
  if (norm.kind === 'none' && !observe) return tf.tidy(() => conv3d(input(), conv, { activation: 'silu' }));
  const convolved = tf.tidy(() => conv3d(input(), conv));
  observe?.(convName, convolved);
  const activated = runNormSilu(norm, convolved, normName, observe);
  convolved.dispose();
  return activated;
}

/** `observe` sees `<name>.norm1`, `.conv1`, `.norm2` and `.conv2` (before the sum). */
export function runResidualBlock(
  block: ResidualBlock,
  x: tf.Tensor5D,
  name: string,
  observe?: Observe,
): tf.Tensor5D {
  return tf.tidy(() => {
    const input = (): tf.Tensor5D => runNormSilu(block.norm1, x, `${name}.norm1`, observe);
    const [convName, normName] = [`${name}.conv1`, `${name}.norm2`];
    const activated = runConvNormSilu(input, block.conv1, block.norm2, convName, normName, observe);
    const sum = conv3d(activated, block.conv2, { residual: x });
    if (observe) observe(`${name}.conv2`, tf.sub(sum, x));
    return sum;
  });
}

/** Runs one layer on the clip that the layer before made. */
export type RunLayer = (x: tf.Tensor5D, run: (x: tf.Tensor5D) => tf.Tensor5D, name: string) => tf.Tensor5D;

/**
 * For a chain of layers that starts at `input`: each frees what it reads, but for `input` itself, so that at most three
 * clips of one resolution are alive. `observe` sees every layer's output under its name.
 */
export function layerRunner(input: tf.Tensor5D, observe?: Observe): RunLayer {
  return (x, run, name) => {
    const y = tf.tidy(() => run(x));
    if (x !== input) x.dispose();
    observe?.(name, y);
    return y;
  };
}
