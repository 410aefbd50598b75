/** Group normalisation over a whole clip, with SiLU after it where asked; picks the implementation for the backend. */
import * as tf from '@tensorflow/tfjs-core';
import { siluReference } from '../silu/reference';
import { groupNormReference } from './reference';
import { groupNormOnWebGpu } from './webgpu';

/** The tokenizer's constants. */
export const GROUPS = 32;
export const GROUP_NORM_EPSILON = 1e-6;

export interface GroupNormOptions {
  readonly groups?: number;
  readonly epsilon?: number;
  readonly activation?: 'silu' | undefined;
}

/** x [B, T, H, W, C], scale and bias [C] -> the shape of x. Throws unless C is a multiple of `groups`. */
export function groupNorm(
  x: tf.Tensor5D,
  scale: tf.Tensor1D,
  bias: tf.Tensor1D,
  options: GroupNormOptions = {},
): tf.Tensor5D {
  const { groups = GROUPS, epsilon = GROUP_NORM_EPSILON, activation } = options;
  const channels = x.shape[4];
  if (channels % groups !== 0) {
    throw new RangeError(
      `groupNorm: ${channels} channels do not divide into ${groups} groups; use a multiple of ${groups}.`,
    );
  }
  if (tf.getBackend() === 'webgpu') return groupNormOnWebGpu(x, scale, bias, groups, epsilon, activation);
  return tf.tidy(() => {
    const y = groupNormReference(x, scale, bias, groups, epsilon);
    return activation === 'silu' ? (siluReference(y) as tf.Tensor5D) : y;
  });
}
