import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, expect, it } from 'vitest';
import { SUBMIT_FLOPS } from '../kernels/gpu';
import { switchBackend } from '../kernels/testing/backends';
import { inPieces, rowsAtOnce } from './block';

beforeAll(async () => {
  await switchBackend('cpu');
});

it.each([1, 4, 5, 7, 20])('queries taken %i at a time give what all give at once', async (most) => {
  const x = tf.tidy(() => tf.reshape(tf.range(0, 84), [2, 7, 6]) as tf.Tensor3D);
  const before = tf.memory().numTensors;
  const sizes: number[] = [];
  const y = inPieces(x, most, (rows) => {
    sizes.push(rows.shape[1]);
    return tf.add(rows, 1);
  });
  expect(tf.memory().numTensors).toBe(before + 1);
  expect(y.shape).toEqual([2, 7, 6]);
  expect([...(await y.data())]).toEqual(Array.from({ length: 84 }, (_, i) => i + 1));
  expect(Math.max(...sizes)).toBe(Math.min(most, 7));
  tf.dispose([x, y]);
});

it('the widest layer of a piece is no more than one submit', () => {
  for (const width of [256, 512, 1024, 2048]) {
    expect(2 * rowsAtOnce(width) * width * 4 * width).toBeLessThanOrEqual(SUBMIT_FLOPS);
  }
  expect(rowsAtOnce(1024)).toBe(1856);
});
