/** What `writeRows` leaves in its target, as a new tensor, from plain tf ops. */
import * as tf from '@tensorflow/tfjs-core';

/** target [B, M, C], rows [B, n, C] -> [B, M, C]. */
export function writeRowsReference(target: tf.Tensor3D, rows: tf.Tensor3D, first: number): tf.Tensor3D {
  return tf.tidy(() => {
    const before = tf.slice(target, [0, 0, 0], [-1, first, -1]);
    const after = tf.slice(target, [0, first + rows.shape[1], 0], [-1, -1, -1]);
    return tf.concat([before, rows, after], 1);
  });
}
