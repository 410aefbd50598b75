/**
 * What decoding piece by piece does with clips, apart from when (frameStream.ts): the layers, and cutting and joining
 * along time. Here on tensors; decodePlan.ts does the same on sizes alone.
 */
import * as tf from '@tensorflow/tfjs-core';
import { type Conv3dWeights, conv3d } from '../kernels/conv3d';
import type { Padding } from '../kernels/conv3d/padding';
import { type ConvTranspose3dWeights, convTranspose3d } from '../kernels/convTranspose3d';
import { sliceRows } from '../kernels/sliceRows';
import { unwritten, writeRows } from '../kernels/writeRows';
import { type Norm, runNormSilu } from './tokenizer';

/** Operations on clips of kind C. Each makes a clip that its caller owns. */
export interface ClipOperations<C> {
  /** Stride 1, with `padding` in time, and SiLU where asked; `residual` is added. */
  convolve(clip: C, weights: Conv3dWeights, padding: Padding, activation?: 'silu', residual?: C): C;
  upConvolve(clip: C, weights: ConvTranspose3dWeights, padding: Padding): C;
  normSilu(clip: C, norm: Norm): C;
  framesOf(clip: C): number;
  /** Frames [first, end); all of them share the clip's memory. */
  slice(clip: C, first: number, end: number): C;
  join(earlier: C, later: C): C;
  dispose(clip: C): void;
  /** Frees what `run` made, but for its result and what was kept. */
  tidy(run: () => C): C;
  keep(clip: C): C;
}

/** Clips [B, T, H, W, C]. */
export const tensorClips: ClipOperations<tf.Tensor5D> = {
  convolve: (clip, weights, timePadding, activation, residual) =>
    conv3d(clip, weights, { timePadding, activation, residual }),
  upConvolve: (clip, weights, padding) => convTranspose3d(clip, weights, padding),
  normSilu: (clip, norm) => runNormSilu(norm, clip, ''),
  framesOf: (clip) => clip.shape[1],
  slice: (clip, first, end) =>
    first === 0 && end === clip.shape[1] ? share(clip) : sliceRows(clip, first, end - first),
  join: joinFrames,
  dispose: (clip) => clip.dispose(),
  tidy: (run) => tf.tidy(run),
  keep: (clip) => tf.keep(clip),
};

/** [B, T1, H, W, C] and [B, T2, H, W, C] -> [B, T1 + T2, H, W, C]. */
function joinFrames(earlier: tf.Tensor5D, later: tf.Tensor5D): tf.Tensor5D {
  const [batch, , ...frame] = earlier.shape;
  const frames = earlier.shape[1] + later.shape[1];
  return tf.tidy(() => {
    const rows = ({ shape }: tf.Tensor5D): [number, number, number] => [
      batch,
      shape[1],
      tf.util.sizeFromShape(frame),
    ];
    const all = unwritten([batch, frames, tf.util.sizeFromShape(frame)]);
    writeRows(all, tf.reshape(earlier, rows(earlier)), 0);
    writeRows(all, tf.reshape(later, rows(later)), earlier.shape[1]);
    return tf.reshape(all, [batch, frames, ...frame]);
  });
}

/** The same data with an owner of its own. `tf.clone` copies on wasm. */
function share(clip: tf.Tensor5D): tf.Tensor5D {
  return tf.reshape(clip, clip.shape);
}
