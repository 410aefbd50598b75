/** Layer normalisation over the last axis; picks the implementation for the current backend. */
import * as tf from '@tensorflow/tfjs-core';
import { float, int, runOnGpu } from '../gpu';
import { LayerNormProgram } from './program';
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
  if (tf.getBackend() === 'webgpu') {
    const width = scale.shape[0];
    const rows = x.size / width;
    const uniforms = [int(width), int(rows), float(epsilon)];
    return runOnGpu(new LayerNormProgram(rows, width), [x, scale, bias], x.shape, uniforms);
  }
  return layerNormReference(x, scale, bias, epsilon);
}
