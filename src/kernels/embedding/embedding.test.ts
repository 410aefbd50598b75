import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { onEachBackend } from '../testing/parity';
import { embedding } from './index';

onEachBackend('embedding', () => {
  it('takes rows in order, repeated ones too', async () => {
    const y = tf.tidy(() => embedding(tf.tensor2d([0, 1, 10, 11, 20, 21], [3, 2]), Int32Array.of(2, 0, 2)));
    expect([...(await y.data())]).toEqual([20, 21, 0, 1, 20, 21]);
    y.dispose();
  });

  it('gives no rows for no indices', () => {
    expect(tf.tidy(() => embedding(tf.ones([3, 2]), new Int32Array(0)).shape)).toEqual([0, 2]);
  });

  it.each([-1, 3])('refuses index %i of a table of 3', (index) => {
    tf.tidy(() => {
      expect(() => embedding(tf.ones([3, 2]), Int32Array.of(index))).toThrow(
        `index ${index} is outside the table of 3`,
      );
    });
  });
});
