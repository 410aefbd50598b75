/** SiLU, x sigmoid(x); picks the implementation for the current backend. */
import * as tf from '@tensorflow/tfjs-core';
import { ChannelAffineProgram } from '../channelAffine/program';
import { int, runOnGpu } from '../gpu';
import { siluReference } from './reference';

/** Any shape. */
export function silu<T extends tf.Tensor>(x: T): T {
  if (tf.getBackend() === 'webgpu') {
    const components = x.size % 4 === 0 ? 4 : 1;
    const program = new ChannelAffineProgram(x.size, components, false, true);
    return runOnGpu<T>(program, [x], x.shape, [int(1), int(x.size / components)]);
  }
  return siluReference(x) as T;
}
