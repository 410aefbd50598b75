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
    const [channels] = scale.shape;
    const components = channels % 4 === 0 ? 4 : 1;
    const program = new ChannelAffineProgram(x.size, components, true, activation === 'silu');
    const uniforms = [int(channels / components), int(x.size / components)];
    return runOnGpu(program, [x, scale, bias], x.shape, uniforms);
  }
  return channelAffineReference(x, scale, bias, activation) as tf.Tensor5D;
}
