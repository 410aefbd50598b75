/**
 * Decoding a few latent frames at a time: memory stays bounded, progress can be shown, and the work can be stopped
 * between pieces. The frames are those of `runDecoder`: every layer keeps the frames that its next output still reads
 * (frameStream.ts), so there are no seams and nothing is computed twice.
 *
 * GroupNorm takes its statistics over the whole clip, so such a decoder gives one chunk.
 */
import type * as tf from '@tensorflow/tfjs-core';
import { freeUnusedGpuMemory } from '../kernels/gpu';
import { tensorClips } from './clips';
import { chunkLength } from './decodePlan';
import { type DecoderParameters, runDecoder } from './decoder';
import { decoderStream, endOf } from './decoderStream';

export interface DecodedChunk {
  /** Index in the clip of the chunk's first frame. */
  readonly firstFrame: number;
  /** [B, t, H, W, 3], nominal range ±0.5; the receiver disposes it. */
  readonly frames: tf.Tensor5D;
  /** Latent frames that are finished, of `total`. */
  readonly done: number;
  readonly total: number;
}

/**
 * latents [B, T', H', W', D], which stay the caller's until the generator has ended; `latentFrames` at a time, or as many
 * as memory and short submits allow (decodePlan.ts).
 * Leaving the loop early (`break`, `return()`) frees what is buffered.
 */
export async function* decodeInChunks(
  parameters: DecoderParameters,
  latents: tf.Tensor5D,
  latentFrames?: number,
): AsyncGenerator<DecodedChunk, void, undefined> {
  if (latentFrames !== undefined && (!Number.isInteger(latentFrames) || latentFrames < 1)) {
    throw new RangeError(
      `decodeInChunks: latentFrames must be a whole number from 1 on, got ${latentFrames}.`,
    );
  }
  freeUnusedGpuMemory(); // What came before has other sizes,
  try {
    yield* decodePieces(parameters, latents, latentFrames);
  } finally {
    freeUnusedGpuMemory(); // and it may be long until the next clip.
  }
}

function* decodePieces(
  parameters: DecoderParameters,
  latents: tf.Tensor5D,
  latentFrames: number | undefined,
): Generator<DecodedChunk, void, undefined> {
  const total = latents.shape[1];
  if (parameters.config.norm === 'group' || (latentFrames ?? 1) >= total) {
    yield { firstFrame: 0, frames: runDecoder(parameters, latents), done: total, total };
    return;
  }
  const length = latentFrames ?? chunkLength(parameters, latents.shape);
  const stream = decoderStream(tensorClips, parameters, latents, length);
  try {
    for (let done = 0; done < total; ) {
      const firstFrame = endOf(stream, done, total);
      done = Math.min(total, done + length);
      const frames = stream.produce(firstFrame, endOf(stream, done, total));
      yield { firstFrame, frames, done, total };
    }
  } finally {
    stream.dispose();
  }
}
