/**
 * How much memory and how long a submit a decode in chunks needs, found by going through it with sizes in place of clips,
 * and how long chunks should be. Nothing is computed here.
 *
 * Of a decoder with GroupNorm, whose statistics are of the whole clip, all frames are held at once: three clips of the
 * finest level, T·H·W·C·12 bytes, and its largest buffer is a third of that. With the official stages (64 channels at
 * the end, 128×128) a buffer stays within 128 MiB up to 32 frames.
 */
import type { Extent3 } from '../config/model';
import type { Conv3dWeights } from '../kernels/conv3d';
import { convolvedLength, samePadding, transposedLength } from '../kernels/conv3d/padding';
import type { ConvTranspose3dWeights } from '../kernels/convTranspose3d';
import { SUBMIT_FLOPS } from '../kernels/gpu';
import type { ClipOperations } from './clips';
import type { DecoderParameters } from './decoder';
import { decoderStream, endOf, type StreamedLayers } from './decoderStream';

export interface DecodePlan {
  /** Bytes of the largest clip that a kernel reads or writes. */
  readonly largestBuffer: number;
  /** Most bytes of clips alive at once, latents and the frames handed out included. Weights are not. */
  readonly peakBytes: number;
  /** FLOP of the heaviest layer over one chunk. */
  readonly heaviestLayer: number;
}

/** What WebGPU guarantees of a binding's bytes. */
export const LARGEST_BINDING = 128 * 2 ** 20;
/** Bytes of clips that a decode may take. */
const MEMORY = 256 * 2 ** 20;
/** A clip is decoded in at least so many chunks, so that progress shows. */
const FEWEST_CHUNKS = 8;

/**
 * The longest chunk, in latent frames, that keeps to the largest binding, to 256 MiB in all, and each layer to about one
 * submit; 1 where nothing does.
 */
export function chunkLength(
  layers: StreamedLayers,
  latents: readonly [number, number, number, number, number],
): number {
  const most = Math.ceil(latents[1] / FEWEST_CHUNKS);
  for (let length = most; length > 1; length--) {
    const { largestBuffer, peakBytes, heaviestLayer } = planDecode(layers, latents, length);
    if (largestBuffer <= LARGEST_BINDING && peakBytes <= MEMORY && heaviestLayer <= SUBMIT_FLOPS) {
      return length;
    }
  }
  return 1;
}

/** For latents of shape [B, T', H', W', D], `latentFrames` at a time. */
export function planDecode(
  layers: StreamedLayers,
  latents: readonly [number, number, number, number, number],
  latentFrames: number,
): DecodePlan {
  const [batch, total, height, width, channels] = latents;
  const clips = new SizedClips();
  const whole = clips.make({ batch, frames: total, height, width, channels });
  const stream = decoderStream(clips, layers, whole, latentFrames);
  for (let done = 0; done < total; ) {
    const first = endOf(stream, done, total);
    done = Math.min(total, done + latentFrames);
    clips.dispose(stream.produce(first, endOf(stream, done, total)));
  }
  stream.dispose();
  return clips.plan;
}

/** The bound of a decode in one piece, with norms over the whole clip: three clips of a level, or its input and output. */
export function planWholeDecode(
  { postQuantization, stages }: Pick<DecoderParameters, 'postQuantization' | 'stages'>,
  [batch, ...grid]: readonly [number, number, number, number],
): Omit<DecodePlan, 'heaviestLayer'> {
  let [t, h, w] = grid;
  const bytes = (channels: number): number => 4 * batch * t * h * w * channels;
  let before = bytes(postQuantization.outputs);
  let [largestBuffer, peakBytes] = [before, 3 * before];
  for (const { up } of stages) {
    const [st, sh, sw] = up.stride;
    [t, h, w] = [t * st, h * sh, w * sw];
    const after = bytes(up.outputs);
    largestBuffer = Math.max(largestBuffer, after);
    peakBytes = Math.max(peakBytes, before + after, 3 * after);
    before = after;
  }
  return { largestBuffer, peakBytes };
}

interface Size {
  readonly batch: number;
  readonly frames: number;
  readonly height: number;
  readonly width: number;
  readonly channels: number;
}

/** Memory that one or more clips share. */
interface Memory {
  readonly bytes: number;
  owners: number;
}

interface SizedClip extends Size {
  readonly memory: Memory;
  kept: boolean;
  disposed: boolean;
}

/** Clips of which only the size is known, counted as tensors are. */
class SizedClips implements ClipOperations<SizedClip> {
  private live = 0;
  private largestBuffer = 0;
  private peakBytes = 0;
  private heaviestLayer = 0;
  /** What was made since the innermost `tidy` began. */
  private scope: SizedClip[] = [];

  get plan(): DecodePlan {
    const { largestBuffer, peakBytes, heaviestLayer } = this;
    return { largestBuffer, peakBytes, heaviestLayer };
  }

  make(size: Size, shared?: Memory): SizedClip {
    const bytes = 4 * size.batch * size.frames * size.height * size.width * size.channels;
    const memory = shared ?? { bytes, owners: 0 };
    memory.owners += 1;
    if (memory.owners === 1) this.live += memory.bytes;
    this.largestBuffer = Math.max(this.largestBuffer, bytes);
    this.peakBytes = Math.max(this.peakBytes, this.live);
    const clip = { ...size, memory, kept: false, disposed: false };
    this.scope.push(clip);
    return clip;
  }

  convolve(clip: SizedClip, { kernel, outputs }: Conv3dWeights, padding: readonly number[]): SizedClip {
    const [front = 0, behind = 0] = padding;
    const frames = convolvedLength(front + clip.frames + behind, kernel[0], 1);
    return this.compute({ ...clip, frames, channels: outputs }, clip.channels, kernel, [1, 1, 1]);
  }

  upConvolve(clip: SizedClip, weights: ConvTranspose3dWeights, padding: readonly number[]): SizedClip {
    const { kernel, stride, outputs } = weights;
    const [front = 0, behind = 0] = padding;
    const length = (extent: number, axis: 0 | 1 | 2): number => {
      const [before, after] = samePadding(kernel[axis], stride[axis]);
      return transposedLength(before + extent + after, kernel[axis], stride[axis]);
    };
    const size = {
      batch: clip.batch,
      frames: transposedLength(front + clip.frames + behind, kernel[0], stride[0]),
      height: length(clip.height, 1),
      width: length(clip.width, 2),
      channels: outputs,
    };
    return this.compute(size, clip.channels, kernel, stride);
  }

  private compute(size: Size, inputs: number, kernel: Extent3, stride: Extent3): SizedClip {
    const { batch, frames, height, width, channels } = size;
    const taps = (kernel[0] * kernel[1] * kernel[2]) / (stride[0] * stride[1] * stride[2]);
    const flops = 2 * batch * frames * height * width * taps * inputs * channels;
    this.heaviestLayer = Math.max(this.heaviestLayer, flops);
    return this.make({ batch, frames, height, width, channels });
  }

  normSilu({ batch, frames, height, width, channels }: SizedClip): SizedClip {
    return this.make({ batch, frames, height, width, channels });
  }

  framesOf(clip: SizedClip): number {
    return clip.frames;
  }

  slice(clip: SizedClip, first: number, end: number): SizedClip {
    const { batch, height, width, channels } = clip;
    const all = first === 0 && end === clip.frames;
    return this.make({ batch, frames: end - first, height, width, channels }, all ? clip.memory : undefined);
  }

  join(earlier: SizedClip, later: SizedClip): SizedClip {
    const { batch, height, width, channels } = earlier;
    return this.make({ batch, frames: earlier.frames + later.frames, height, width, channels });
  }

  dispose(clip: SizedClip): void {
    if (clip.disposed) return;
    clip.disposed = true;
    clip.memory.owners -= 1;
    if (clip.memory.owners === 0) this.live -= clip.memory.bytes;
  }

  tidy(run: () => SizedClip): SizedClip {
    const outer = this.scope;
    this.scope = [];
    const result = run();
    for (const clip of this.scope) if (clip !== result && !clip.kept) this.dispose(clip);
    this.scope = outer;
    this.scope.push(result);
    return result;
  }

  keep(clip: SizedClip): SizedClip {
    clip.kept = true;
    return clip;
  }
}
