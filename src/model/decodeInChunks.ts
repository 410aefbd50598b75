/**
 * Decoding a few latent frames at a time: memory stays bounded, progress can be shown, and the work can be stopped
 * between pieces. The frames are those of `runDecoder`: every layer keeps the frames that its next output still reads
 * (frameStream.ts), so there are no seams and nothing is computed twice.
 *
 * GroupNorm takes its statistics over the whole clip, so such a decoder gives one chunk.
 */
import type * as tf from '@tensorflow/tfjs-core';
import { type DecoderParameters, runDecoder } from './decoder';
import {
  convolution,
  FrameBuffer,
  type FrameSource,
  pointwise,
  upConvolution,
  wholeClip,
} from './frameStream';
import { type ResidualBlock, runNormSilu } from './tokenizer';

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
 * latents [B, T', H', W', D], which stay the caller's until the generator has ended; `latentFrames` at a time.
 * Leaving the loop early (`break`, `return()`) frees what is buffered.
 */
export async function* decodeInChunks(
  parameters: DecoderParameters,
  latents: tf.Tensor5D,
  latentFrames = 1,
): AsyncGenerator<DecodedChunk, void, undefined> {
  const total = latents.shape[1];
  if (!Number.isInteger(latentFrames) || latentFrames < 1) {
    throw new RangeError(
      `decodeInChunks: latentFrames must be a whole number from 1 on, got ${latentFrames}.`,
    );
  }
  if (parameters.config.norm === 'group' || latentFrames >= total) {
    yield { firstFrame: 0, frames: runDecoder(parameters, latents), done: total, total };
    return;
  }
  const buffers: FrameBuffer[] = [];
  try {
    const clip = decoderStream(parameters, latents, buffers);
    for (let done = 0; done < total; ) {
      const firstFrame = Math.floor((done / total) * clip.frames);
      done = Math.min(total, done + latentFrames);
      const frames = clip.produce(firstFrame, Math.floor((done / total) * clip.frames));
      yield { firstFrame, frames, done, total };
    }
  } finally {
    for (const buffer of buffers) buffer.dispose();
  }
}

/** The decoder as a chain of sources, with a buffer before each layer that looks along time. */
function decoderStream(
  { postQuantization, inputNorm, stages, output }: DecoderParameters,
  latents: tf.Tensor5D,
  buffers: FrameBuffer[],
): FrameSource {
  const buffer = (source: FrameSource): FrameBuffer => {
    const made = new FrameBuffer(source);
    buffers.push(made);
    return made;
  };
  const withNorm = (input: FrameBuffer, norm: ResidualBlock['norm1']): FrameBuffer =>
    buffer(pointwise(input.reader(), input.frames, (x) => runNormSilu(norm, x, '')));
  const residual = (input: FrameBuffer, { norm1, conv1, norm2, conv2 }: ResidualBlock): FrameBuffer => {
    const first = withNorm(input, norm1);
    const hidden = withNorm(buffer(convolution(first.reader(), first.frames, conv1)), norm2);
    return buffer(convolution(hidden.reader(), hidden.frames, conv2, input.reader()));
  };

  const start = buffer(wholeClip(latents));
  let x = withNorm(buffer(convolution(start.reader(), start.frames, postQuantization)), inputNorm);
  for (const { up, blocks } of stages) {
    x = buffer(upConvolution(x.reader(), x.frames, up));
    for (const block of blocks) x = residual(x, block);
  }
  return convolution(x.reader(), x.frames, output);
}
