/** Exact (erf) GELU: x/2 (1 + erf(x/√2)), from plain tf ops. The tanh form differs by 5e-4 and is not what the models use. */
import * as tf from '@tensorflow/tfjs-core';

export function geluReference(x: tf.Tensor): tf.Tensor {
  return tf.tidy(() => {
    const erf = tf.erf(tf.mul(x, Math.SQRT1_2));
    return tf.mul(tf.mul(x, 0.5), tf.add(erf, 1));
  });
}
