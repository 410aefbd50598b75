/** Layer normalisation over the last axis, biased variance, from plain tf ops. The oracle of program.ts. */
import * as tf from '@tensorflow/tfjs-core';

/** x [..., C], scale and bias [C] -> [..., C]. */
export function layerNormReference(
  x: tf.Tensor,
  scale: tf.Tensor1D,
  bias: tf.Tensor1D,
  epsilon: number,
): tf.Tensor {
  return tf.tidy(() => {
    const rows = tf.reshape(x, [-1, scale.shape[0]]); // [P, C]
    const centred = tf.sub(rows, tf.mean(rows, 1, true));
    const variance = tf.mean(tf.square(centred), 1, true); // [P, 1]
    const normal = tf.mul(centred, tf.rsqrt(tf.add(variance, epsilon)));
    return tf.reshape(tf.add(tf.mul(normal, scale), bias), x.shape);
  });
}
