/** Transposed 3D convolution after replicate padding, from plain tf ops. The oracle of program.ts and wasm.ts. */
import * as tf from '@tensorflow/tfjs-core';
import type { Extent3 } from '../../config/model';
import { type Padding, replicatePad, samePadding3 } from '../conv3d/padding';

/**
 * x [B, T, H, W, I], weight [kt, kh, kw, I, O] (PyTorch's [I, O, kt, kh, kw] permuted, not flipped), bias [O].
 * Pads by the "same" rule, transposes the convolution and drops k - 1 positions at each end: an axis of padded
 * length m gives (m - 1)s + k - 2(k - 1).
 */
export function convTranspose3dReference(
  x: tf.Tensor5D,
  weight: tf.Tensor5D,
  bias: tf.Tensor1D,
  stride: Extent3,
  timePadding?: Padding,
): tf.Tensor5D {
  return tf.tidy(() => {
    const [kt, kh, kw, , outputs] = weight.shape;
    const kernel: Extent3 = [kt, kh, kw];
    const padded = replicatePad(x, samePadding3(kernel, stride, timePadding));
    const [batch, ...extents] = padded.shape;
    const full = ([0, 1, 2] as const).map((i) => ((extents[i] ?? 1) - 1) * stride[i] + kernel[i]);
    const y = tf.conv3dTranspose(
      padded,
      tf.transpose(weight, [0, 1, 2, 4, 3]), // tf wants [kt, kh, kw, O, I]
      [batch, full[0] ?? 1, full[1] ?? 1, full[2] ?? 1, outputs],
      [...stride],
      'valid',
    );
    const cropped = tf.slice(
      y,
      [0, kt - 1, kh - 1, kw - 1, 0],
      [batch, ...([0, 1, 2] as const).map((i) => (full[i] ?? 1) - 2 * (kernel[i] - 1)), outputs],
    );
    return tf.add(cropped, tf.reshape(bias, [1, 1, 1, 1, outputs])) as tf.Tensor5D;
  });
}
