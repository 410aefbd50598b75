/** Layer normalisation over the last axis; picks the implementation for the current backend. */
import * as tf from '@tensorflow/tfjs-core';
import { layerNormReference } from './reference';
import { layerNormOnWasm } from './wasm';

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
  if (tf.getBackend() === 'wasm') return layerNormOnWasm(x, scale, bias, epsilon);
  return layerNormReference(x, scale, bias, epsilon);
}
