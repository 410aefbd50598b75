/** 3D convolution on WebGPU: padding, products, bias and residual in one program (implicitMatmul). */
import type * as tf from '@tensorflow/tfjs-core';
import type { Extent3 } from '../../config/model';
import { implicitMatmul } from '../implicitMatmul';
import { type Padding, samePadding3 } from './padding';

/** x [B, T, H, W, I], weight [kt, kh, kw, I, O], bias [O] -> [B, T', H', W', O]. */
export function conv3dOnWebGpu(
  x: tf.Tensor5D,
  weight: tf.Tensor5D,
  bias: tf.Tensor1D,
  stride: Extent3,
  timePadding?: Padding,
  residual?: tf.Tensor5D,
): tf.Tensor5D {
  const [batch, frames, height, width] = x.shape;
  const [kt, kh, kw, inputs, outputs] = weight.shape;
  const input: Extent3 = [frames, height, width];
  const kernel: Extent3 = [kt, kh, kw];
  const paddings = samePadding3(kernel, stride, timePadding);
  const extent = (i: 0 | 1 | 2): number =>
    Math.floor((input[i] + paddings[i][0] + paddings[i][1] - kernel[i]) / stride[i]) + 1;
  const output: Extent3 = [extent(0), extent(1), extent(2)];
  return implicitMatmul(
    { batch, input, output, kernel, stride, paddings, inputs, outputs, transposed: false },
    { x, weight, bias, residual },
    [batch, ...output, outputs],
  );
}
