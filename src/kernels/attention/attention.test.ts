import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import {
  expectParity,
  FLOAT16_TOLERANCE,
  onEachBackend,
  onFloat16,
  tensorOf,
  values,
} from '../testing/parity';
import { type AttentionOptions, attention } from './index';
import { attentionReference } from './reference';
import { attentionOnWebGpu } from './webgpu';

type Sizes = readonly [batch: number, queries: number, keys: number, width: number, heads: number];

const inputsOf = ([batch, queries, keys, width]: Sizes) => [
  values([batch, queries, width], 1, 3),
  values([batch, keys, width], 2, 3),
  values([batch, keys, width], 3),
];

onEachBackend('attention', (backend) => {
  const expectAgreement = async (sizes: Sizes, options: AttentionOptions = {}): Promise<void> => {
    const run =
      (op: typeof attention) =>
      (...[q, k, v]: tf.Tensor[]) =>
        op(q as tf.Tensor3D, k as tf.Tensor3D, v as tf.Tensor3D, sizes[4], options);
    await expectParity(backend, inputsOf(sizes), run(attention), run(attentionReference), 2e-6);
  };

  it.each<Sizes>([
    [1, 8, 5, 32, 4],
    [2, 3, 40, 16, 2],
    [3, 1, 1, 12, 3],
    [2, 1, 37, 32, 2],
    [1, 33, 65, 64, 1], // more than a tile each way
    [1, 3, 300, 40, 2], // few queries, the keys split
    [1, 9, 40, 128, 1],
    [1, 2, 33, 80, 4], // heads of 20 channels
  ])('batch %i, %i queries, %i keys, width %i, %i heads agrees with the reference', async (...sizes) => {
    await expectAgreement(sizes);
  });

  it.each<[string, Sizes, AttentionOptions]>([
    ['causal', [2, 37, 37, 32, 2], { causal: true }],
    ['causal with keys before the queries', [1, 5, 43, 32, 2], { causal: true }],
    ['causal in a cache that is not full', [1, 6, 64, 16, 1], { causal: true, keyCount: 41 }],
    ['one query in a cache that is not full', [2, 1, 64, 32, 4], { causal: true, keyCount: 50 }],
    ['the first keys only', [2, 9, 48, 16, 1], { keyCount: 35 }],
    ['causal over split keys', [1, 5, 290, 16, 1], { causal: true }],
    ['causal with more queries than keys', [1, 40, 3, 16, 1], { causal: true }],
  ])('%s agrees with the reference', async (_, sizes, options) => {
    await expectAgreement(sizes, options);
  });

  it('lets a query see the keys up to its own, and none after them', async () => {
    const [batch, queries, keys, width, heads] = [1, 4, 6, 16, 2];
    const [q, k, v] = inputsOf([batch, queries, keys, width, heads]).map((x) => tensorOf<tf.Tensor3D>(x));
    if (!q || !k || !v) throw new Error('three inputs');
    const whole = attention(q, k, v, heads, { causal: true });
    for (let i = 0; i < queries; i++) {
      const seen = keys - queries + i + 1;
      const [alone, row] = tf.tidy(() => {
        const first = (x: tf.Tensor3D) => tf.slice(x, [0, 0, 0], [-1, seen, -1]);
        const own = (x: tf.Tensor3D) => tf.slice(x, [0, i, 0], [-1, 1, -1]);
        return [attention(own(q), first(k), first(v), heads), own(whole)];
      });
      const [want, got] = [await alone.data(), await row.data()];
      want.forEach((x, c) => {
        expect(got[c]).toBeCloseTo(x, 5);
      });
      tf.dispose([alone, row]);
    }
    tf.dispose([q, k, v, whole]);
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

  it('refuses a width that its heads do not divide, and more keys than there are', () => {
    const x = tf.zeros([1, 1, 8]) as tf.Tensor3D;
    expect(() => attention(x, x, x, 3)).toThrow('width 8 does not divide into 3 heads');
    expect(() => attention(x, x, x, 2, { keyCount: 2 })).toThrow('from 0 to the 1 keys given, got 2');
    x.dispose();
  });
});

/** Scores reach ±10 here, and an error of a score becomes a relative error of its weight. */
const SCORES_AND_VALUES = 2 * FLOAT16_TOLERANCE;

onFloat16('attention', (backend) => {
  it.each<[string, Sizes, AttentionOptions]>([
    ['more than a tile each way', [2, 33, 65, 128, 2], {}],
    ['heads of 128 channels', [1, 9, 40, 128, 1], {}],
    ['heads of 20 channels, few queries', [1, 2, 33, 80, 4], {}],
    ['few queries, the keys split', [1, 3, 300, 40, 2], {}],
    ['causal in a cache that is not full', [1, 6, 64, 16, 1], { causal: true, keyCount: 41 }],
  ])('%s agrees with the reference', async (_, sizes, options) => {
    const [q, k, v] = inputsOf(sizes);
    if (!q || !k || !v) throw new Error('three inputs');
    await expectParity(
      backend,
      [q, k, v],
      (...[q, k, v]) => {
        const [query, key, value] = [q as tf.Tensor3D, k as tf.Tensor3D, v as tf.Tensor3D];
        const served = attentionOnWebGpu(query, key, value, sizes[4], options, 'f16');
        if (!served) throw new Error('the kernel serves this size');
        return served;
      },
      (...[q, k, v]) =>
        attentionReference(q as tf.Tensor3D, k as tf.Tensor3D, v as tf.Tensor3D, sizes[4], options),
      SCORES_AND_VALUES,
    );
  });
});
