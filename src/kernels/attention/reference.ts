/** Multi-head softmax attention without mask or projections, from plain tf ops. */
import * as tf from '@tensorflow/tfjs-core';

/** query [B, NQ, C], key and value [B, NK, C] -> [B, NQ, C]; head h owns channels h·C/heads to (h+1)·C/heads. NK > 0. */
export function attentionReference(
  query: tf.Tensor3D,
  key: tf.Tensor3D,
  value: tf.Tensor3D,
  heads: number,
): tf.Tensor3D {
  return tf.tidy(() => {
    const [batch, queries, width] = query.shape;
    const size = width / heads;
    // [B, N, C] -> [B, heads, N, d]
    const split = (x: tf.Tensor3D): tf.Tensor4D =>
      tf.transpose(tf.reshape(x, [batch, x.shape[1], heads, size]), [0, 2, 1, 3]) as tf.Tensor4D;
    const scores = tf.matMul(split(tf.mul(query, 1 / Math.sqrt(size))), split(key), false, true); // [B, heads, NQ, NK]
    const mixed = tf.matMul(tf.softmax(scores), split(value)); // [B, heads, NQ, d]
    return tf.reshape(tf.transpose(mixed, [0, 2, 1, 3]), [batch, queries, width]);
  });
}
