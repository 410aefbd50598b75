/** Rows of a table by index. `tf.gather` is right everywhere, but slow on wasm. */
import * as tf from '@tensorflow/tfjs-core';
import { runOnHeap } from '../heap';

/** table [R, C], rows: indices -> [rows.length, C]. Throws on an index outside the table (a GPU would read garbage). */
export function embedding(table: tf.Tensor2D, rows: Int32Array): tf.Tensor2D {
  const [count, width] = table.shape;
  for (const row of rows) {
    if (row < 0 || row >= count) {
      throw new RangeError(
        `embedding: index ${row} is outside the table of ${count} rows; indices are 0-based.`,
      );
    }
  }
  if (rows.length === 0) return tf.zeros([0, width]) as tf.Tensor2D;
  if (tf.getBackend() === 'wasm') {
    return runOnHeap([table], [rows.length, width], (heap, output, input) => {
      rows.forEach((row, i) => {
        heap.copyWithin(output + i * width, input + row * width, input + (row + 1) * width);
      });
    });
  }
  return tf.tidy(() => tf.gather(table, tf.tensor1d(rows, 'int32')));
}
