/** y = x W + b, then optionally erf-GELU and a residual: plain tf ops for any backend. The oracle of the WGSL programs. */
import * as tf from '@tensorflow/tfjs-core';
import { geluReference } from '../gelu/reference';
import { toFloat32 } from '../matrix';
import type { LinearOptions, LinearWeights } from './index';

/** x [..., I], weight [I, O] -> [..., O]. A packed weight is dequantized first. */
export function linearReference(
  x: tf.Tensor,
  weights: LinearWeights,
  options: LinearOptions = {},
): tf.Tensor {
  return tf.tidy(() => {
    const { weight, bias } = weights;
    const [inputs, outputs] = weight.shape;
    const rows = tf.reshape(x, [-1, inputs]) as tf.Tensor2D; // [P, I]
    let y: tf.Tensor = tf.matMul(rows, toFloat32(weight)); // [P, O]
    if (bias) y = tf.add(y, bias);
    if (options.activation === 'gelu') y = geluReference(y);
    y = tf.reshape(y, [...x.shape.slice(0, -1), outputs]);
    return options.residual ? tf.add(y, options.residual) : y;
  });
}
