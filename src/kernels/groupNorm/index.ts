/** Group normalisation over a whole clip. One implementation serves every backend: the models at hand use it rarely. */
import type * as tf from '@tensorflow/tfjs-core';
import { groupNormReference } from './reference';

/** The tokenizer's constants. */
export const GROUPS = 32;
export const GROUP_NORM_EPSILON = 1e-6;

/** x [B, T, H, W, C], scale and bias [C] -> the shape of x. Throws unless C is a multiple of `groups`. */
export function groupNorm(
  x: tf.Tensor5D,
  scale: tf.Tensor1D,
  bias: tf.Tensor1D,
  groups: number = GROUPS,
  epsilon: number = GROUP_NORM_EPSILON,
): tf.Tensor5D {
  const channels = x.shape[4];
  if (channels % groups !== 0) {
    throw new RangeError(
      `groupNorm: ${channels} channels do not divide into ${groups} groups; use a multiple of ${groups}.`,
    );
  }
  return groupNormReference(x, scale, bias, groups, epsilon);
}
