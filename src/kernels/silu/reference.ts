/** SiLU: x sigmoid(x), from plain tf ops. */
import * as tf from '@tensorflow/tfjs-core';

export function siluReference(x: tf.Tensor): tf.Tensor {
  return tf.tidy(() => tf.mul(x, tf.sigmoid(x)));
}
