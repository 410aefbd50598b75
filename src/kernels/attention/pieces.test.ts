import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { sliceRows } from '../sliceRows';
import { expectParity, onEachBackend, values } from '../testing/parity';
import { attentionInPieces, type KeyPiece } from './pieces';
import { attentionReference } from './reference';

/** Keys and values cut into pieces of these lengths. */
function cut(key: tf.Tensor3D, value: tf.Tensor3D, counts: readonly number[]): KeyPiece[] {
  let end = 0;
  return counts.map((count) => {
    const first = end;
    end += count;
    return {
      count,
      make: () => ({ key: sliceRows(key, first, count), value: sliceRows(value, first, count) }),
    };
  });
}

onEachBackend('attentionInPieces', (backend) => {
  it.each<[batch: number, queries: number, width: number, heads: number, counts: readonly number[]]>([
    [1, 5, 32, 2, [7, 4, 9]],
    [2, 9, 32, 1, [40, 1]],
    [1, 1, 16, 1, [3, 0, 5]],
    [1, 3, 40, 2, [300, 20]], // more than a range of keys has elsewhere
    [2, 4, 24, 2, [6, 6]], // heads of 12 channels have no kernel on WebGPU
    [1, 6, 32, 2, [11]],
  ])(
    'batch %i, %i queries, width %i, %i heads, pieces of %j',
    async (batch, queries, width, heads, counts) => {
      const keys = counts.reduce((sum, count) => sum + count, 0);
      // Scores to ±100: what a piece adds may be nothing or everything.
      const inputs = [
        values([batch, queries, width], 1, 8),
        values([batch, keys, width], 2, 8),
        values([batch, keys, width], 3),
      ];
      await expectParity(
        backend,
        inputs,
        (q, k, v) =>
          attentionInPieces(q as tf.Tensor3D, cut(k as tf.Tensor3D, v as tf.Tensor3D, counts), heads),
        (q, k, v) => attentionReference(q as tf.Tensor3D, k as tf.Tensor3D, v as tf.Tensor3D, heads),
        5e-6,
      );
    },
  );

  it('is zero where there are no keys', async () => {
    const y = tf.tidy(() => attentionInPieces(tf.ones([1, 2, 16]), [], 1));
    expect([...(await y.data())]).toEqual(new Array(32).fill(0));
    y.dispose();
  });
});
