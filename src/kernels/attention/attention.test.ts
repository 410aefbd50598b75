import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { expectParity, onEachBackend, values } from '../testing/parity';
import { attention } from './index';
import { attentionReference } from './reference';

onEachBackend('attention', (backend) => {
  it.each([
    [1, 8, 5, 32, 4],
    [2, 3, 40, 16, 2],
    [3, 1, 1, 12, 3],
  ])('batch %i, %i queries, %i keys, width %i, %i heads agrees with the reference', async (...sizes) => {
    const [batch, queries, keys, width, heads] = sizes;
    const run =
      (op: typeof attention) =>
      (...[q, k, v]: tf.Tensor[]) =>
        op(q as tf.Tensor3D, k as tf.Tensor3D, v as tf.Tensor3D, heads);
    const inputs = [
      values([batch, queries, width], 1, 3),
      values([batch, keys, width], 2, 3),
      values([batch, keys, width], 3),
    ];
    await expectParity(backend, inputs, run(attention), run(attentionReference), 2e-6);
  });

  it('is zero where there are no keys', async () => {
    const y = tf.tidy(() => {
      const none = tf.zeros([1, 0, 8]) as tf.Tensor3D;
      return attention(tf.ones([1, 3, 8]), none, none, 2);
    });
    expect(y.shape).toEqual([1, 3, 8]);
    expect([...(await y.data())]).toEqual(new Array(24).fill(0));
    y.dispose();
  });

  it('refuses a width that its heads do not divide', () => {
    const x = tf.zeros([1, 1, 8]) as tf.Tensor3D;
    expect(() => attention(x, x, x, 3)).toThrow('width 8 does not divide into 3 heads');
    x.dispose();
  });
});
