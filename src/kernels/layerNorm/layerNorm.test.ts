import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { expectParity, onEachBackend, type Values, values } from '../testing/parity';
import { LAYER_NORM_EPSILON, layerNorm } from './index';
import { layerNormReference } from './reference';

const run = (...[x, scale, bias]: tf.Tensor[]): tf.Tensor =>
  layerNorm(x as tf.Tensor, scale as tf.Tensor1D, bias as tf.Tensor1D);
const reference = (...[x, scale, bias]: tf.Tensor[]): tf.Tensor =>
  layerNormReference(x as tf.Tensor, scale as tf.Tensor1D, bias as tf.Tensor1D, LAYER_NORM_EPSILON);

onEachBackend('layerNorm', (backend) => {
  it.each([[[2, 3, 32]], [[5, 7]], [[1, 130]], [[300, 256]]])(
    'of %j agrees with the reference',
    async (shape) => {
      const width = shape.at(-1) ?? 1;
      const inputs = [values(shape, 1, 4), values([width], 2), values([width], 3)];
      await expectParity(backend, inputs, run, reference, 2e-6);
    },
  );

  it('does not cancel where the mean is far larger than the spread', async () => {
    const near: Values = { shape: [2, 64], data: values([2, 64], 5).data.map((x) => 1000 + x) };
    await expectParity(backend, [near, values([64], 2), values([64], 3)], run, reference, 1e-3);
  });

  it('passes an empty tensor on', () => {
    expect(tf.tidy(() => run(tf.zeros([1, 0, 4]), tf.ones([4]), tf.zeros([4])).shape)).toEqual([1, 0, 4]);
  });
});
