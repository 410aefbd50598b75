import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import type { Extent3 } from '../../config/model';
import { siluReference } from '../silu/reference';
import { expectParity, onEachBackend, values } from '../testing/parity';
import { type Conv3dOptions, conv3d, prepareConv3d } from './index';
import { replicateIndices, samePadding } from './padding';
import { conv3dReference } from './reference';

describe('padding', () => {
  it.each([
    [3, 1, 1, 1],
    [4, 1, 2, 1],
    [4, 2, 1, 1],
    [1, 1, 0, 0],
    [1, 2, 0, 0],
  ])('kernel %i, stride %i repeats %i in front and %i behind', (kernel, stride, front, behind) => {
    expect(samePadding(kernel, stride)).toEqual([front, behind]);
  });

  it('repeats the edges', () => {
    expect([...replicateIndices(3, [2, 1])]).toEqual([0, 0, 0, 1, 2, 2]);
  });
});

interface Case {
  readonly x: readonly number[];
  readonly kernel: Extent3;
  readonly outputs: number;
  readonly options?: Pick<Conv3dOptions, 'stride' | 'timePadding'>;
}

const CASES: Record<string, Case> = {
  'kernel 3, batch 2': { x: [2, 3, 4, 5, 8], kernel: [3, 3, 3], outputs: 12 },
  'kernel 1x3x3': { x: [1, 2, 9, 10, 24], kernel: [1, 3, 3], outputs: 24 },
  'kernel 1': { x: [1, 2, 3, 2, 5], kernel: [1, 1, 1], outputs: 16 },
  'three outputs, wide rows': { x: [1, 2, 3, 19, 4], kernel: [3, 3, 3], outputs: 3 },
  'kernel 4, stride 2': { x: [1, 6, 8, 4, 3], kernel: [4, 4, 4], outputs: 4, options: { stride: [2, 2, 2] } },
  'kernel 4, stride 2 in space only': {
    x: [2, 4, 6, 4, 4],
    kernel: [4, 4, 4],
    outputs: 6,
    options: { stride: [1, 2, 2] },
  },
  'a single position': { x: [1, 1, 1, 1, 4], kernel: [3, 3, 3], outputs: 4 },
  'no padding in time': {
    x: [1, 5, 3, 3, 4],
    kernel: [3, 3, 3],
    outputs: 4,
    options: { timePadding: [0, 0] },
  },
  'padding in time at one end': {
    x: [1, 3, 3, 3, 2],
    kernel: [4, 1, 3],
    outputs: 2,
    options: { timePadding: [2, 0] },
  },
};

onEachBackend('conv3d', (backend) => {
  it.each(Object.entries(CASES))(
    '%s agrees with the reference',
    async (_, { x, kernel, outputs, options }) => {
      const inputs = x[4] ?? 1;
      const operands = [values(x, 1), values([...kernel, inputs, outputs], 2), values([outputs], 3)];
      await expectParity(
        backend,
        operands,
        (...[input, weight, bias]) => {
          // Prepared copies are part of the model, not of the operation; they are freed here to count tensors.
          const weights = prepareConv3d(weight?.clone() as tf.Tensor5D, bias as tf.Tensor1D);
          const y = conv3d(input as tf.Tensor5D, weights, options);
          weights.weight.dispose();
          return y;
        },
        (...[input, weight, bias]) =>
          conv3dReference(
            input as tf.Tensor5D,
            weight as tf.Tensor5D,
            bias as tf.Tensor1D,
            options?.stride,
            options?.timePadding,
          ),
        2e-6,
      );
    },
  );

  it('refuses a clip with other channels than the weights read', () => {
    tf.tidy(() => {
      const weights = prepareConv3d(tf.ones([1, 1, 1, 4, 2]), tf.ones([2]));
      expect(() => conv3d(tf.ones([1, 1, 2, 2, 3]), weights)).toThrow('has 3 channels, the weights read 4');
    });
  });

  it.each<[string, number, number, boolean]>([
    ['applies SiLU', 8, 8, false],
    ['applies SiLU where channels do not come in fours', 3, 5, false],
    ['adds a residual after SiLU', 8, 8, true],
  ])('%s', async (_, inputs, outputs, added) => {
    const operands = [
      values([1, 2, 3, 9, inputs], 1, 4),
      values([3, 3, 3, inputs, outputs], 2),
      values([outputs], 3),
      values([1, 2, 3, 9, outputs], 4),
    ];
    await expectParity(
      backend,
      operands,
      (...[x, weight, bias, other]) => {
        const weights = prepareConv3d(weight?.clone() as tf.Tensor5D, bias as tf.Tensor1D);
        const residual = added ? (other as tf.Tensor5D) : undefined;
        const y = conv3d(x as tf.Tensor5D, weights, { activation: 'silu', residual });
        weights.weight.dispose();
        return y;
      },
      (...[x, weight, bias, other]) =>
        tf.tidy(() => {
          const y = siluReference(
            conv3dReference(x as tf.Tensor5D, weight as tf.Tensor5D, bias as tf.Tensor1D),
          );
          return added ? tf.add(y, other as tf.Tensor) : y;
        }),
      2e-6,
    );
  });

  it('adds a residual', async () => {
    const operands = [values([1, 2, 3, 4, 8], 1), values([3, 3, 3, 8, 8], 2), values([8], 3)];
    await expectParity(
      backend,
      operands,
      (...[x, weight, bias]) => {
        const weights = prepareConv3d(weight?.clone() as tf.Tensor5D, bias as tf.Tensor1D);
        const y = conv3d(x as tf.Tensor5D, weights, { residual: x as tf.Tensor5D });
        weights.weight.dispose();
        return y;
      },
      (...[x, weight, bias]) => {
        const y = conv3dReference(x as tf.Tensor5D, weight as tf.Tensor5D, bias as tf.Tensor1D);
        const sum = tf.add(y, x as tf.Tensor5D);
        y.dispose();
        return sum;
      },
      2e-6,
    );
  });
});
