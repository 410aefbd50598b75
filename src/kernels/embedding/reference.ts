/** Sums of embeddings from plain tf ops. The oracle of program.ts. */
import * as tf from '@tensorflow/tfjs-core';
import { type Matrix, toFloat32 } from '../matrix';
import type { TokenRows } from './index';

/** Position table [P, C], positions [n] -> [n, C]. n > 0. */
export function embedAtReference(
  tokens: TokenRows,
  positionTable: Matrix,
  positions: Int32Array,
): tf.Tensor2D {
  return tf.tidy(() => {
    const rows = (table: Matrix, indices: Int32Array) =>
      tf.gather(toFloat32(table), tf.tensor1d(indices, 'int32'));
    const token =
      'vector' in tokens
        ? tf.reshape(tokens.vector, [1, tokens.vector.size])
        : rows(tokens.table, tokens.codes);
    return tf.add(token, rows(positionTable, positions));
  });
}
