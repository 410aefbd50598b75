/** The table of codes: ids to latents, and latents to the nearest ids. No networks here. */
import * as tf from '@tensorflow/tfjs-core';
import type { Extent3 } from '../config/model';
import { embedding } from '../kernels/embedding';
import { sliceRows } from '../kernels/sliceRows';

/** ids: batch × T'·H'·W' code indices, row by row; codebook [U, D] -> latents [B, T', H', W', D]. */
export function lookUp(codebook: tf.Tensor2D, ids: Int32Array, grid: Extent3, batch = 1): tf.Tensor5D {
  const positions = batch * grid[0] * grid[1] * grid[2];
  if (ids.length !== positions) {
    throw new RangeError(
      `lookUp: got ${ids.length} ids for ${batch} × ${grid.join('×')} positions; give ${positions}.`,
    );
  }
  return tf.tidy(() => tf.reshape(embedding(codebook, ids), [batch, ...grid, codebook.shape[1]]));
}

/** Rows compared at once: 4,096 × 16,384 float32 distances would be 256 MiB. */
const DISTANCES_AT_ONCE = 1 << 22;

/** x [..., D] -> for each vector the code at the smallest squared distance; of equals, the first. */
export async function nearestCodes(codebook: tf.Tensor2D, x: tf.Tensor): Promise<Int32Array> {
  const [codes, width] = codebook.shape;
  const rows = tf.reshape(x, [1, -1, width]) as tf.Tensor3D; // [1, P, D]
  const squares = tf.tidy(() => tf.reshape(tf.sum(tf.square(codebook), 1), [1, codes])); // [1, U]
  const ids = new Int32Array(rows.shape[1]);
  const rowsAtOnce = Math.max(1, Math.floor(DISTANCES_AT_ONCE / codes));
  try {
    for (let first = 0; first < ids.length; first += rowsAtOnce) {
      const count = Math.min(rowsAtOnce, ids.length - first);
      // |x - c|² less |x|², which is the same for every code. [count, U]
      const distances = tf.tidy(() => {
        const some = tf.reshape(sliceRows(rows, first, count), [count, width]);
        return tf.sub(squares, tf.mul(tf.matMul(some, codebook, false, true), 2));
      });
      // The minimum is searched here, as argMin on WebGPU does not give the first of equals.
      const values = await distances.data();
      distances.dispose();
      for (let row = 0; row < count; row++) ids[first + row] = firstSmallest(values, row * codes, codes);
    }
  } finally {
    tf.dispose([rows, squares]);
  }
  return ids;
}

function firstSmallest(values: ArrayLike<number>, offset: number, count: number): number {
  let best = 0;
  let smallest = Number.POSITIVE_INFINITY;
  for (let i = 0; i < count; i++) {
    const value = values[offset + i] ?? Number.POSITIVE_INFINITY;
    if (value < smallest) {
      smallest = value;
      best = i;
    }
  }
  return best;
}
