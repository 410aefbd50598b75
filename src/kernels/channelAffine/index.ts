/** A folded batch norm: x * scale + bias per channel, with SiLU after it where asked. */
import * as tf from '@tensorflow/tfjs-core';
import { channelAffineReference } from './reference';

/** x [..., C], scale and bias [C] -> the shape of x. */
export function channelAffine(
  x: tf.Tensor5D,
  scale: tf.Tensor1D,
  bias: tf.Tensor1D,
  activation?: 'silu',
): tf.Tensor5D {
  return channelAffineReference(x, scale, bias, activation) as tf.Tensor5D;
}
