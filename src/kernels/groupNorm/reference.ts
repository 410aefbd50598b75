/** Group normalisation over a whole clip, from plain tf ops: for wasm and cpu, and the oracle of programs.ts. */
import * as tf from '@tensorflow/tfjs-core';

/** x [B, T, H, W, C], scale and bias [C] -> the same shape. Statistics of one sample and group of C/groups channels. */
export function groupNormReference(
  x: tf.Tensor5D,
  scale: tf.Tensor1D,
  bias: tf.Tensor1D,
  groups: number,
  epsilon: number,
): tf.Tensor5D {
  return tf.tidy(() => {
    const [batch, frames, height, width, channels] = x.shape;
    const size = channels / groups;
    const positions = frames * height * width; // P
    // Two steps, [B, P, C] -> [B, 1, C] -> [B, 1, G, 1]: the long axis is reduced first, no transposition is needed.
    const rows = tf.reshape(x, [batch, positions, channels]) as tf.Tensor3D;
    const perGroup = (sums: tf.Tensor): tf.Tensor => {
      const mean = tf.mean(tf.reshape(sums, [batch, 1, groups, size]), 3, true); // [B, 1, G, 1]
      return tf.reshape(tf.tile(mean, [1, 1, 1, size]), [batch, 1, channels]); // [B, 1, C]
    };
    const centred = tf.sub(rows, perGroup(tf.mean(rows, 1, true)));
    const variance = perGroup(tf.mean(tf.square(centred), 1, true));
    const factor = tf.mul(tf.rsqrt(tf.add(variance, epsilon)), tf.reshape(scale, [1, 1, channels]));
    const y = tf.add(tf.mul(centred, factor), tf.reshape(bias, [1, 1, channels]));
    return tf.reshape(y, x.shape);
  });
}
