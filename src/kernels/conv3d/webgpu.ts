/**
 * 3D convolution and transposed convolution on WebGPU: padding, products, bias and residual in one program
 * (implicitMatmul); a transposed one multiplies only the taps of each output's phase.
 */
import type * as tf from '@tensorflow/tfjs-core';
import type { Extent3 } from '../../config/model';
import { implicitMatmul } from '../implicitMatmul';
import type { MatmulTiling } from '../implicitMatmul/tiling';
import { convolvedLength, type Padding, samePadding3, transposedLength } from './padding';

export interface ConvolutionOptions {
  readonly stride: Extent3;
  readonly transposed: boolean;
  readonly timePadding?: Padding | undefined;
  readonly activation?: 'silu' | undefined;
  readonly residual?: tf.Tensor5D | undefined;
}

/**
 * x [B, T, H, W, I], weight [kt, kh, kw, I, O] (not flipped), bias [O] -> [B, T', H', W', O]. `tiling` is chosen when left
 * out.
 */
export function convolveOnWebGpu(
  x: tf.Tensor5D,
  weight: tf.Tensor5D,
  bias: tf.Tensor1D,
  { stride, transposed, timePadding, activation, residual }: ConvolutionOptions,
  tiling?: MatmulTiling,
): tf.Tensor5D {
  const [batch, frames, height, width] = x.shape;
  const [kt, kh, kw, inputs, outputs] = weight.shape;
  const input: Extent3 = [frames, height, width];
  const kernel: Extent3 = [kt, kh, kw];
  const paddings = samePadding3(kernel, stride, timePadding);
  const length = transposed ? transposedLength : convolvedLength;
  const extent = (i: 0 | 1 | 2): number =>
    length(input[i] + paddings[i][0] + paddings[i][1], kernel[i], stride[i]);
  const output: Extent3 = [extent(0), extent(1), extent(2)];
  return implicitMatmul(
    { batch, input, output, kernel, stride, paddings, inputs, outputs, transposed },
    { x, weight, bias, silu: activation === 'silu', residual },
    [batch, ...output, outputs],
    tiling,
  );
}
