/**
 * What decoding piece by piece does with clips, apart from when (frameStream.ts): the layers, and cutting and joining
 * along time. Here on tensors; decodePlan.ts does the same on sizes alone.
 */
import * as tf from '@tensorflow/tfjs-core';
import { type Conv3dWeights, conv3d } from '../kernels/conv3d';
import type { Padding } from '../kernels/conv3d/padding';
import { type ConvTranspose3dWeights, convTranspose3d } from '../kernels/convTranspose3d';
import { type Norm, runNormSilu } from './tokenizer';

/** Operations on clips of kind C. Each makes a clip that its caller owns. */
export interface ClipOperations<C> {
  /** Stride 1, with `padding` in time; `residual` is added. */
  convolve(clip: C, weights: Conv3dWeights, padding: Padding, residual?: C): C;
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
  convolve: (clip, weights, timePadding, residual) => conv3d(clip, weights, { timePadding, residual }),
  upConvolve: (clip, weights, padding) => convTranspose3d(clip, weights, padding),
  normSilu: (clip, norm) => runNormSilu(norm, clip, ''),
  framesOf: (clip) => clip.shape[1],
  slice: (clip, first, end) =>
    first === 0 && end === clip.shape[1] ? share(clip) : tf.slice(clip, [0, first], [-1, end - first]),
  join: (earlier, later) => tf.concat([earlier, later], 1),
  dispose: (clip) => clip.dispose(),
  tidy: (run) => tf.tidy(run),
  keep: (clip) => tf.keep(clip),
};

/** The same data with an owner of its own. `tf.clone` copies on wasm. */
function share(clip: tf.Tensor5D): tf.Tensor5D {
  return tf.reshape(clip, clip.shape);
}
