import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { sliceRows } from '../sliceRows';
import { expectParity, onEachBackend, values } from '../testing/parity';
import { attentionInPieces, type KeyPiece } from './pieces';
import { attentionReference } from './reference';

/** Keys and values cut into pieces of these lengths and weights. */
function cut(
  key: tf.Tensor3D,
  value: tf.Tensor3D,
  counts: readonly number[],
  weights: readonly number[] = [],
): KeyPiece[] {
  let end = 0;
  return counts.map((count, i) => {
    const first = end;
    end += count;
    return {
      count,
      weight: weights[i] ?? 1,
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

  it.each<[width: number, counts: readonly number[], weights: readonly number[]]>([
    [32, [7, 4, 9], [1, 3, 2]],
    [24, [6, 6], [1, 5]], // without a kernel on WebGPU
    [32, [11], [4]], // alone, its weight says nothing
    [32, [300, 20], [2, 1]],
  ])('width %i, pieces of %j: as with %j copies of each key', async (width, counts, weights) => {
    const keys = counts.reduce((sum, count) => sum + count, 0);
    const inputs = [values([2, 5, width], 4, 2), values([2, keys, width], 5, 2), values([2, keys, width], 6)];
    const copied = (x: tf.Tensor): tf.Tensor3D => {
      const pieces = cut(x as tf.Tensor3D, x as tf.Tensor3D, counts);
      const copies = pieces.flatMap(({ make }, i) =>
        new Array<tf.Tensor3D>(weights[i] ?? 1).fill(make().key),
      );
      return tf.concat(copies, 1);
    };
    await expectParity(
      backend,
      inputs,
      (q, k, v) =>
        attentionInPieces(q as tf.Tensor3D, cut(k as tf.Tensor3D, v as tf.Tensor3D, counts, weights), 2),
      (q, k, v) => tf.tidy(() => attentionReference(q as tf.Tensor3D, copied(k), copied(v), 2)),
      5e-6,
    );
  });

  it('is zero where there are no keys', async () => {
    const y = tf.tidy(() => attentionInPieces(tf.ones([1, 2, 16]), [], 1));
    expect([...(await y.data())]).toEqual(new Array(32).fill(0));
    y.dispose();
  });
});
