/** x * scale + bias per channel, then SiLU where asked, from plain tf ops. */
import * as tf from '@tensorflow/tfjs-core';
import { siluReference } from '../silu/reference';

export function channelAffineReference(
  x: tf.Tensor,
  scale: tf.Tensor1D,
  bias: tf.Tensor1D,
  activation?: 'silu',
): tf.Tensor {
  return tf.tidy(() => {
    // Two axes, because a 5-D operand with a 1-D one fails on WebGPU.
    const rows = tf.reshape(x, [-1, scale.shape[0]]); // [P, C]
    const y = tf.add(tf.mul(rows, scale), bias);
    return tf.reshape(activation === 'silu' ? siluReference(y) : y, x.shape);
  });
}
