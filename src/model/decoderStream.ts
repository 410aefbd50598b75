/** The decoder as a chain of frame sources. What clips are, and when frames are asked for, is its caller's. */
import type { ClipOperations } from './clips';
import type { DecoderParameters } from './decoder';
import {
  convolution,
  FrameBuffer,
  type FrameSource,
  normSilu,
  upConvolution,
  wholeClip,
} from './frameStream';
import type { Norm, ResidualBlock } from './tokenizer';

/** Layers of a decoder, without what a stream does not look at. */
export type StreamedLayers = Pick<DecoderParameters, 'postQuantization' | 'inputNorm' | 'stages' | 'output'>;

export interface DecoderStream<C> extends FrameSource<C> {
  /** Frees the frames that are buffered; not the latents. */
  dispose(): void;
}

/**
 * The frames of `latents`, with a buffer before each layer that looks along time; no layer runs over the frames of more
 * than `latentFrames` latent ones at once. Norms must be per channel.
 */
export function decoderStream<C>(
  clips: ClipOperations<C>,
  { postQuantization, inputNorm, stages, output }: StreamedLayers,
  latents: C,
  latentFrames: number,
): DecoderStream<C> {
  const part = latentFrames / clips.framesOf(latents);
  const buffers: FrameBuffer<C>[] = [];
  const buffer = (source: FrameSource<C>): FrameBuffer<C> => {
    const made = new FrameBuffer(clips, source, source.frames * part);
    buffers.push(made);
    return made;
  };
  const withNorm = (input: FrameBuffer<C>, norm: Norm): FrameBuffer<C> =>
    buffer(normSilu(clips, input.reader(), input.frames, norm));
  const convolvedWithNorm = (
    input: FrameBuffer<C>,
    weights: DecoderParameters['postQuantization'],
    norm: Norm,
  ): FrameBuffer<C> => {
    const { frames } = input;
    if (norm.kind === 'none') return buffer(convolution(clips, input.reader(), frames, weights, 'silu'));
    return withNorm(buffer(convolution(clips, input.reader(), frames, weights)), norm);
  };
  const residual = (input: FrameBuffer<C>, { norm1, conv1, norm2, conv2 }: ResidualBlock): FrameBuffer<C> => {
    const hidden = convolvedWithNorm(withNorm(input, norm1), conv1, norm2);
    return buffer(convolution(clips, hidden.reader(), hidden.frames, conv2, undefined, input.reader()));
  };

  const start = buffer(wholeClip(clips, latents));
  let x = convolvedWithNorm(start, postQuantization, inputNorm);
  for (const { up, blocks } of stages) {
    x = buffer(upConvolution(clips, x.reader(), x.frames, up));
    for (const block of blocks) x = residual(x, block);
  }
  const last = convolution(clips, x.reader(), x.frames, output);
  return {
    ...last,
    dispose: () => {
      for (const made of buffers) made.dispose();
    },
  };
}

/** Where the frames of latent frames up to `done`, of `total`, end. */
export function endOf(stream: FrameSource<unknown>, done: number, total: number): number {
  return Math.floor((done / total) * stream.frames);
}
