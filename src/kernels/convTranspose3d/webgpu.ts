/** Transposed 3D convolution on WebGPU: implicitMatmul with the taps of each output's phase only. */
import type * as tf from '@tensorflow/tfjs-core';
import type { Extent3 } from '../../config/model';
import { type Padding, samePadding3 } from '../conv3d/padding';
import { implicitMatmul } from '../implicitMatmul';
import { transposedLength } from './phases';

/** x [B, T, H, W, I], weight [kt, kh, kw, I, O] (not flipped), bias [O] -> [B, T', H', W', O]. */
export function convTranspose3dOnWebGpu(
  x: tf.Tensor5D,
  weight: tf.Tensor5D,
  bias: tf.Tensor1D,
  stride: Extent3,
  timePadding?: Padding,
): tf.Tensor5D {
  const [batch, frames, height, width] = x.shape;
  const [kt, kh, kw, inputs, outputs] = weight.shape;
  const input: Extent3 = [frames, height, width];
  const kernel: Extent3 = [kt, kh, kw];
  const paddings = samePadding3(kernel, stride, timePadding);
  const extent = (i: 0 | 1 | 2): number =>
    transposedLength(input[i] + paddings[i][0] + paddings[i][1], kernel[i], stride[i]);
  const output: Extent3 = [extent(0), extent(1), extent(2)];
  return implicitMatmul(
    { batch, input, output, kernel, stride, paddings, inputs, outputs, transposed: true },
    { x, weight, bias },
    [batch, ...output, outputs],
  );
}
