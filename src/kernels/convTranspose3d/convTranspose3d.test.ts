import type * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import type { Extent3 } from '../../config/model';
import { type Padding, transposedLength } from '../conv3d/padding';
import { expectParity, onEachBackend, values } from '../testing/parity';
import { convTranspose3d, prepareConvTranspose3d } from './index';
import { phasesOf } from './phases';
import { convTranspose3dReference } from './reference';

describe('phases', () => {
  it('of kernel 4 with stride 2 have two taps each and cover every output', () => {
    expect(phasesOf(6, 4, 2)).toEqual([
      { taps: Int32Array.of(3, 1), start: 0, count: 4 },
      { taps: Int32Array.of(2, 0), start: 1, count: 4 },
    ]);
    expect(transposedLength(6, 4, 2)).toBe(8);
  });

  it('of stride 1 are one flipped convolution', () => {
    expect(phasesOf(7, 4, 1)).toEqual([{ taps: Int32Array.of(3, 2, 1, 0), start: 0, count: 4 }]);
  });

  it('of a kernel shorter than its stride are refused', () => {
    expect(() => phasesOf(8, 1, 2)).toThrow(/kernel 1 with stride 2/);
  });
});

interface Case {
  readonly x: readonly number[];
  readonly kernel: Extent3;
  readonly stride: Extent3;
  readonly outputs: number;
  readonly timePadding?: Padding;
}

const CASES: Record<string, Case> = {
  'kernel 4, stride 2': { x: [1, 2, 3, 4, 8], kernel: [4, 4, 4], stride: [2, 2, 2], outputs: 4 },
  'stride 2 in time only, batch 2': { x: [2, 2, 3, 5, 4], kernel: [4, 3, 3], stride: [2, 1, 1], outputs: 8 },
  'kernel 4 everywhere, stride 2 in space': {
    x: [2, 3, 4, 3, 6],
    kernel: [4, 4, 4],
    stride: [1, 2, 2],
    outputs: 5,
  },
  'stride 1': { x: [1, 3, 2, 4, 4], kernel: [4, 4, 3], stride: [1, 1, 1], outputs: 3 },
  'wide rows': { x: [1, 1, 2, 17, 4], kernel: [4, 4, 4], stride: [2, 2, 2], outputs: 8 },
  'kernel 5, stride 2': { x: [1, 3, 3, 3, 4], kernel: [5, 5, 5], stride: [2, 2, 2], outputs: 4 },
  'kernel 6, stride 3': { x: [1, 4, 4, 3, 2], kernel: [6, 6, 6], stride: [3, 3, 3], outputs: 4 },
  'no padding in time': {
    x: [1, 5, 3, 2, 4],
    kernel: [4, 4, 4],
    stride: [2, 2, 2],
    outputs: 4,
    timePadding: [0, 0],
  },
};

onEachBackend('convTranspose3d', (backend) => {
  it.each(Object.entries(CASES))('%s agrees with the reference', async (_, { x, ...rest }) => {
    const { kernel, stride, outputs, timePadding } = rest;
    const operands = [values(x, 1), values([...kernel, x[4] ?? 1, outputs], 2), values([outputs], 3)];
    await expectParity(
      backend,
      operands,
      (...[input, weight, bias]) => {
        const weights = prepareConvTranspose3d(weight?.clone() as tf.Tensor5D, bias as tf.Tensor1D, stride);
        const y = convTranspose3d(input as tf.Tensor5D, weights, timePadding);
        for (const tensor of [weights.weight].flat()) (tensor as tf.Tensor).dispose();
        return y;
      },
      (...[input, weight, bias]) =>
        convTranspose3dReference(
          input as tf.Tensor5D,
          weight as tf.Tensor5D,
          bias as tf.Tensor1D,
          stride,
          timePadding,
        ),
      2e-6,
    );
  });
});
