/** Transposed 3D convolution after replicate padding; weights are laid out once for the backend, as in conv3d. */
import * as tf from '@tensorflow/tfjs-core';
import type { Extent3 } from '../../config/model';
import { checkChannels, type Padding } from '../conv3d/padding';
import { convolveOnWebGpu } from '../conv3d/webgpu';
import { convTranspose3dReference } from './reference';
import { convTranspose3dOnWasm, phaseKernels } from './wasm';

export interface ConvTranspose3dWeights {
  readonly kernel: Extent3;
  readonly stride: Extent3;
  readonly inputs: number;
  readonly outputs: number;
  /** [kt, kh, kw, I, O] as one tensor, or one kernel a phase (wasm). */
  readonly weight: tf.Tensor5D | readonly tf.Tensor4D[];
  /** [O] */
  readonly bias: tf.Tensor1D;
}

/** Takes ownership of weight [kt, kh, kw, I, O] (PyTorch's [I, O, kt, kh, kw] permuted, not flipped) and bias [O]. */
export function prepareConvTranspose3d(
  weight: tf.Tensor5D,
  bias: tf.Tensor1D,
  stride: Extent3,
): ConvTranspose3dWeights {
  const [kt, kh, kw, inputs, outputs] = weight.shape;
  const common = { kernel: [kt, kh, kw], stride, inputs, outputs, bias } as const;
  if (tf.getBackend() !== 'wasm') return { ...common, weight };
  const phases = phaseKernels(weight, stride);
  weight.dispose();
  return { ...common, weight: phases };
}

/** x [B, T, H, W, I] -> [B, T', H', W', O]; with kernel 4 and strides 1 or 2, T' = T·stride. Throws as conv3d does. */
export function convTranspose3d(
  x: tf.Tensor5D,
  weights: ConvTranspose3dWeights,
  timePadding?: Padding,
): tf.Tensor5D {
  const { weight, bias, kernel, stride, inputs } = weights;
  checkChannels('convTranspose3d', x, inputs);
  if (!(weight instanceof tf.Tensor)) {
    return convTranspose3dOnWasm(x, weight, bias, kernel, stride, timePadding);
  }
  if (tf.getBackend() === 'webgpu') {
    return convolveOnWebGpu(x, weight, bias, { stride, timePadding, transposed: true });
  }
  return convTranspose3dReference(x, weight, bias, stride, timePadding);
}
