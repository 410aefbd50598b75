/**
 * Clips that are made a few frames at a time, in order: sources, and buffers that keep the frames which a later layer
 * still has to see. Nothing is computed twice, and the result is that of the whole clip at once. Time only; what is done
 * to clips comes from `ClipOperations`.
 */
import type { Conv3dWeights } from '../kernels/conv3d';
import { type Padding, samePadding, transposedLength } from '../kernels/conv3d/padding';
import type { ConvTranspose3dWeights } from '../kernels/convTranspose3d';
import type { ClipOperations } from './clips';
import type { Norm } from './tokenizer';

/** Makes frames [first, end) of a clip; each call continues where the last one ended. The caller owns the result. */
export interface FrameSource<C> {
  readonly frames: number;
  /** Ends must be multiples of this (or the end of the clip). */
  readonly granularity: number;
  produce(first: number, end: number): C;
}

/** Reads frames [first, end) of a buffered clip; the next range begins at `next` or after it. */
export type Take<C> = (first: number, end: number, next: number) => C;

/** Keeps a source's frames as long as one of its readers may ask for them. */
export class FrameBuffer<C> {
  readonly frames: number;
  private held: C | undefined;
  /** Frames [start, end) are held. */
  private start = 0;
  private end = 0;
  private readonly marks: number[] = [];
  private readonly clips: ClipOperations<C>;
  private readonly source: FrameSource<C>;

  /** Frames that the source is asked for at once; a multiple of its granularity. */
  private readonly most: number;

  /** `most`: about how many frames to ask the source for at once, as the first frames need many that follow them. */
  constructor(clips: ClipOperations<C>, source: FrameSource<C>, most: number) {
    this.clips = clips;
    this.most = Math.max(1, Math.ceil(most / source.granularity)) * source.granularity;
    this.source = source;
    this.frames = source.frames;
  }

  /** A new reader; make all readers before the first reads. */
  reader(): Take<C> {
    const index = this.marks.push(0) - 1;
    return (first, end, next) => {
      this.extend(end);
      if (this.held === undefined) {
        throw new Error(`FrameBuffer: frames [${first}, ${end}) were asked for, and none is held.`);
      }
      const taken = this.clips.slice(this.held, first - this.start, end - this.start);
      this.marks[index] = next;
      this.drop(Math.min(this.end, ...this.marks));
      return taken;
    };
  }

  dispose(): void {
    this.hold(undefined);
  }

  private extend(end: number): void {
    const step = this.source.granularity;
    const target = Math.min(this.frames, Math.ceil(end / step) * step);
    while (this.end < target) {
      const until = Math.min(target, this.end + this.most);
      const fresh = this.source.produce(this.end, until);
      if (this.held === undefined) this.held = this.clips.keep(fresh);
      else {
        this.hold(this.clips.join(this.held, fresh));
        this.clips.dispose(fresh);
      }
      this.end = until;
    }
  }

  /** Forgets the frames before `first`. */
  private drop(first: number): void {
    if (this.held === undefined || first <= this.start) return;
    const rest = first < this.end;
    this.hold(rest ? this.clips.slice(this.held, first - this.start, this.end - this.start) : undefined);
    this.start = first;
  }

  private hold(clip: C | undefined): void {
    const before = this.held;
    this.held = clip === undefined ? undefined : this.clips.keep(clip);
    if (before !== undefined) this.clips.dispose(before);
  }
}

/** A clip that is there already; it stays the caller's. */
export function wholeClip<C>(clips: ClipOperations<C>, clip: C): FrameSource<C> {
  return {
    frames: clips.framesOf(clip),
    granularity: 1,
    produce: (first, end) => clips.slice(clip, first, end),
  };
}

/** Norm and SiLU, frame by frame: for norms per channel. */
export function normSilu<C>(
  clips: ClipOperations<C>,
  take: Take<C>,
  frames: number,
  norm: Norm,
): FrameSource<C> {
  return {
    frames,
    granularity: 1,
    produce: (first, end) => clips.tidy(() => clips.normSilu(take(first, end, end), norm)),
  };
}

/** A stride-1 convolution, and SiLU of it where asked; `residual` is added frame by frame. */
export function convolution<C>(
  clips: ClipOperations<C>,
  take: Take<C>,
  frames: number,
  weights: Conv3dWeights,
  activation?: 'silu',
  residual?: Take<C>,
): FrameSource<C> {
  const kernel = weights.kernel[0];
  const [front] = samePadding(kernel, 1);
  return {
    frames,
    granularity: 1,
    produce: (first, end) =>
      clips.tidy(() => {
        const { from, to, padding } = clampRange(first - front, end - front + kernel - 1, frames);
        const clip = take(from, to, Math.max(0, end - front));
        return clips.convolve(clip, weights, padding, activation, residual?.(first, end, end));
      }),
  };
}

/** An up-convolution: stride s makes s frames of one. */
export function upConvolution<C>(
  clips: ClipOperations<C>,
  take: Take<C>,
  frames: number,
  weights: ConvTranspose3dWeights,
): FrameSource<C> {
  const kernel = weights.kernel[0];
  const stride = weights.stride[0];
  const [front, behind] = samePadding(kernel, stride);
  return {
    frames: transposedLength(front + frames + behind, kernel, stride),
    granularity: stride,
    produce: (first, end) =>
      clips.tidy(() => {
        // Outputs from first = i·s on begin with padded frame i; m padded frames make (m - 1)s + 2 - k outputs.
        const start = first / stride - front;
        const count = Math.ceil((end - first + kernel - 2) / stride) + 1;
        const { from, to, padding } = clampRange(start, start + count, frames);
        const clip = take(from, to, Math.max(0, Math.floor(end / stride) - front));
        return clips.slice(clips.upConvolve(clip, weights, padding), 0, end - first);
      }),
  };
}

/** The part of [from, to) inside the clip, and how many frames to repeat for the rest. */
function clampRange(
  from: number,
  to: number,
  frames: number,
): { from: number; to: number; padding: Padding } {
  const inside = { from: Math.min(Math.max(0, from), frames - 1), to: Math.max(1, Math.min(frames, to)) };
  return { ...inside, padding: [inside.from - from, to - inside.to] };
}
