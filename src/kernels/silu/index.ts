/** SiLU, x sigmoid(x); picks the implementation for the current backend. */
import * as tf from '@tensorflow/tfjs-core';
import { ChannelAffineProgram } from '../channelAffine/program';
import { int, runOnGpu } from '../gpu';
import { siluReference } from './reference';

/** Any shape. */
export function silu<T extends tf.Tensor>(x: T): T {
  if (tf.getBackend() === 'webgpu') {
    return runOnGpu<T>(new ChannelAffineProgram(x.size, false, true), [x], x.shape, [int(1), int(x.size)]);
  }
  return siluReference(x) as T;
}
