import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { expectParity, onEachBackend, values } from '../testing/parity';
import { sliceRows } from './index';

onEachBackend('sliceRows', (backend) => {
  it.each([
    [[1, 6, 4], 0, 6],
    [[1, 6, 4], 2, 3],
    [[3, 5, 2], 4, 1],
    [[2, 4, 3, 2, 5], 1, 2],
  ])('of %j from row %i takes %i', async (shape, first, count) => {
    await expectParity(
      backend,
      [values(shape, 1)],
      (x) => sliceRows(x as tf.Tensor, first, count),
      (x) => tf.slice(x as tf.Tensor, [0, first], [-1, count]),
      0,
    );
  });

  it('takes no rows', () => {
    expect(tf.tidy(() => sliceRows(tf.ones([1, 4, 3]), 4, 0).shape)).toEqual([1, 0, 3]);
  });

  it.each([
    [2, 3],
    [-1, 1],
    [0.5, 1],
  ])('refuses rows that there are not: from %f, %i of them', (first, count) => {
    tf.tidy(() => {
      expect(() => sliceRows(tf.ones([1, 4, 3]), first, count)).toThrow('there are 4');
    });
  });
});
