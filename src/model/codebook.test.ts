import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { onEachBackend } from '../kernels/testing/parity';
import { lookUp, nearestCodes } from './codebook';

onEachBackend('codebook', () => {
  it('finds the nearest code, and of equals the first', async () => {
    const codebook = tf.tensor2d([0, 0, 4, 0, 0, 4, 4, 0], [4, 2]);
    const x = tf.tensor2d([3, 1, 0.5, 0.5, 0, 9, 2, -1], [4, 2]);
    expect([...(await nearestCodes(codebook, x))]).toEqual([1, 0, 2, 0]);
    tf.dispose([codebook, x]);
  });

  it('finds what it looked up, and leaves no tensor behind', async () => {
    const codebook = tf.tensor2d(
      Float32Array.from({ length: 30 }, (_, i) => Math.sin(i * i)),
      [10, 3],
    );
    const ids = Int32Array.of(7, 0, 9, 3, 3, 1, 2, 8);
    const latents = lookUp(codebook, ids, [2, 1, 2], 2);
    expect(latents.shape).toEqual([2, 2, 1, 2, 3]);
    const before = tf.memory().numTensors;
    expect(await nearestCodes(codebook, latents)).toEqual(ids);
    expect(tf.memory().numTensors).toBe(before);
    tf.dispose([codebook, latents]);
  });

  it('refuses ids that do not fill the grid', () => {
    const codebook = tf.ones([4, 2]) as tf.Tensor2D;
    expect(() => lookUp(codebook, new Int32Array(5), [1, 2, 3])).toThrow(
      'got 5 ids for 1 × 1×2×3 positions; give 6',
    );
    codebook.dispose();
  });
});
