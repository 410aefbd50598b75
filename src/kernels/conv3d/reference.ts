/** 3D convolution with replicate padding, from plain tf ops (naive on every backend). The oracle of program.ts and wasm.ts. */
import * as tf from '@tensorflow/tfjs-core';
import type { Extent3 } from '../../config/model';
import { type Padding, replicatePad, samePadding3 } from './padding';

/** x [B, T, H, W, I], weight [kt, kh, kw, I, O], bias [O] -> [B, T', H', W', O]; each axis (n + p - k)/s + 1 long. */
export function conv3dReference(
  x: tf.Tensor5D,
  weight: tf.Tensor5D,
  bias: tf.Tensor1D,
  stride: Extent3 = [1, 1, 1],
  timePadding?: Padding,
): tf.Tensor5D {
  return tf.tidy(() => {
    const [kt, kh, kw, , outputs] = weight.shape;
    const padded = replicatePad(x, samePadding3([kt, kh, kw], stride, timePadding));
    const y = tf.conv3d(padded, weight, [...stride], 'valid');
    // The vector is given five axes: 5-D with 1-D fails on WebGPU.
    return tf.add(y, tf.reshape(bias, [1, 1, 1, 1, outputs])) as tf.Tensor5D;
  });
}
