/** A folded batch norm: x * scale + bias per channel, with SiLU after it where asked. */
import * as tf from '@tensorflow/tfjs-core';
import { int, runOnGpu } from '../gpu';
import { ChannelAffineProgram } from './program';
import { channelAffineReference } from './reference';

/** x [..., C], scale and bias [C] -> the shape of x. */
export function channelAffine(
  x: tf.Tensor5D,
  scale: tf.Tensor1D,
  bias: tf.Tensor1D,
  activation?: 'silu',
): tf.Tensor5D {
  if (tf.getBackend() === 'webgpu') {
    const program = new ChannelAffineProgram(x.size, true, activation === 'silu');
    return runOnGpu(program, [x, scale, bias], x.shape, [int(scale.shape[0]), int(x.size)]);
  }
  return channelAffineReference(x, scale, bias, activation) as tf.Tensor5D;
}
