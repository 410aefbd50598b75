/**
 * 3D convolution with replicate padding. Weights are laid out once, when a model is read, for the backend that is
 * current then; `conv3d` picks the implementation by that layout.
 */
import * as tf from '@tensorflow/tfjs-core';
import type { Extent3 } from '../../config/model';
import { silu } from '../silu';
import { checkChannels, type Padding } from './padding';
import { conv3dReference } from './reference';
import { conv3dOnWasm, stackKernel } from './wasm';
import { convolveOnWebGpu } from './webgpu';

export interface Conv3dWeights {
  readonly kernel: Extent3;
  readonly inputs: number;
  readonly outputs: number;
  /** plain: [kt, kh, kw, I, O]; stacked: [kh, kw, kt·I, O], for 2D convolutions over time-stacked frames. */
  readonly layout: 'plain' | 'stacked';
  readonly weight: tf.Tensor;
  /** [O] */
  readonly bias: tf.Tensor1D;
}

export interface Conv3dOptions {
  readonly stride?: Extent3;
  /** Frames repeated at the ends instead of the "same" rule: [0, 0] inside a clip decoded piece by piece. */
  readonly timePadding?: Padding;
  /** Applied to the convolution and its bias. */
  readonly activation?: 'silu' | undefined;
  /** Added last; the shape of the result. */
  readonly residual?: tf.Tensor5D | undefined;
}

/** Takes ownership of weight [kt, kh, kw, I, O] and bias [O]; dispose the result's tensors with `tf.dispose`. */
export function prepareConv3d(weight: tf.Tensor5D, bias: tf.Tensor1D): Conv3dWeights {
  const [kt, kh, kw, inputs, outputs] = weight.shape;
  const common = { kernel: [kt, kh, kw], inputs, outputs, bias } as const;
  if (tf.getBackend() !== 'wasm') return { ...common, layout: 'plain', weight };
  const stacked = stackKernel(weight);
  weight.dispose();
  return { ...common, layout: 'stacked', weight: stacked };
}

/** x [B, T, H, W, I] -> [B, T', H', W', O]. Throws unless x has the channels that the weights read. */
export function conv3d(x: tf.Tensor5D, weights: Conv3dWeights, options: Conv3dOptions = {}): tf.Tensor5D {
  checkChannels('conv3d', x, weights.inputs);
  return tf.tidy(() => {
    const { stride = [1, 1, 1], timePadding, activation, residual } = options;
    const { layout, weight, bias, kernel } = weights;
    if (layout === 'plain' && tf.getBackend() === 'webgpu') {
      const options = { stride, timePadding, activation, residual, transposed: false };
      return convolveOnWebGpu(x, weight as tf.Tensor5D, bias, options);
    }
    const convolved =
      layout === 'stacked'
        ? conv3dOnWasm(x, weight as tf.Tensor4D, bias, kernel, stride, timePadding)
        : conv3dReference(x, weight as tf.Tensor5D, bias, stride, timePadding);
    const y = activation === 'silu' ? silu(convolved) : convolved;
    return residual ? tf.add(y, residual) : y;
  });
}
