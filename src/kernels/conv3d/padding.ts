/**
 * The padding rule of the tokenizer's convolutions ("same", replicate): p = k - s in all along each axis,
 * ceil(p/2) in front, floor(p/2) behind, filled with the nearest edge value. Index arithmetic and a plain tf form.
 */
import * as tf from '@tensorflow/tfjs-core';
import type { Extent3 } from '../../config/model';

/** Positions repeated in front of and behind an axis. */
export type Padding = readonly [front: number, behind: number];

/** k - s split over both ends. Strides larger than the kernel need none. */
export function samePadding(kernel: number, stride: number): Padding {
  const total = Math.max(0, kernel - stride);
  return [Math.ceil(total / 2), Math.floor(total / 2)];
}

/** One padding an axis; `time` overrides the first, for clips decoded piece by piece. */
export function samePadding3(kernel: Extent3, stride: Extent3, time?: Padding): [Padding, Padding, Padding] {
  return [
    time ?? samePadding(kernel[0], stride[0]),
    samePadding(kernel[1], stride[1]),
    samePadding(kernel[2], stride[2]),
  ];
}

/** Length of an axis of `padded` positions after a convolution. */
export function convolvedLength(padded: number, kernel: number, stride: number): number {
  return Math.floor((padded - kernel) / stride) + 1;
}

/** The same after a transposed one, which drops kernel - 1 positions at each end. */
export function transposedLength(padded: number, kernel: number, stride: number): number {
  return (padded - 1) * stride + kernel - 2 * (kernel - 1);
}

/** Throws unless the last axis of `x` has the channels that the weights of `operation` read. */
export function checkChannels(operation: string, x: tf.Tensor5D, inputs: number): void {
  if (x.shape[4] === inputs) return;
  throw new RangeError(
    `${operation}: a clip [${x.shape.join(', ')}] has ${x.shape[4]} channels, the weights read ${inputs}.`,
  );
}

/** [0, 0, 0, 1, …, n-1, n-1]: which source position each padded position repeats. */
export function replicateIndices(extent: number, [front, behind]: Padding): Int32Array {
  return Int32Array.from({ length: front + extent + behind }, (_, i) =>
    Math.min(extent - 1, Math.max(0, i - front)),
  );
}

/** x [B, T, H, W, C] -> padded along T, H and W. Gathers, because `tf.pad` and `mirrorPad` fail at rank 5 on WebGPU. */
export function replicatePad(x: tf.Tensor5D, paddings: readonly Padding[]): tf.Tensor5D {
  return tf.tidy(() =>
    paddings.reduce<tf.Tensor5D>((padded, padding, i) => {
      if (padding[0] === 0 && padding[1] === 0) return padded;
      const axis = i + 1;
      return tf.gather(
        padded,
        tf.tensor1d(replicateIndices(padded.shape[axis] ?? 1, padding), 'int32'),
        axis,
      );
    }, tf.clone(x)),
  );
}
