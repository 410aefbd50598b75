/** Layer normalisation over the last axis; picks the implementation for the current backend. */
import type * as tf from '@tensorflow/tfjs-core';
import { layerNormReference } from './reference';

/** The models' epsilon. */
export const LAYER_NORM_EPSILON = 1e-5;

/** x [..., C], scale and bias [C] -> the shape of x. */
export function layerNorm(
  x: tf.Tensor,
  scale: tf.Tensor1D,
  bias: tf.Tensor1D,
  epsilon: number = LAYER_NORM_EPSILON,
): tf.Tensor {
  if (x.size === 0) return x.clone();
  return layerNormReference(x, scale, bias, epsilon);
}
