/**
 * Clips that are made a few frames at a time, in order: sources, and buffers that keep the frames which a later layer
 * still has to see. Nothing is computed twice, and the result is that of the whole clip at once. Time only; what a layer
 * computes comes from the decoder.
 */
import * as tf from '@tensorflow/tfjs-core';
import { type Conv3dWeights, conv3d } from '../kernels/conv3d';
import { type Padding, samePadding, transposedLength } from '../kernels/conv3d/padding';
import { type ConvTranspose3dWeights, convTranspose3d } from '../kernels/convTranspose3d';

/** Makes frames [first, end) of a clip; each call continues where the last one ended. The caller owns the result. */
export interface FrameSource {
  readonly frames: number;
  /** Ends must be multiples of this (or the end of the clip). */
  readonly granularity: number;
  produce(first: number, end: number): tf.Tensor5D;
}

/** Reads ranges of a buffered clip; the firsts of successive ranges never fall. */
export type Take = (first: number, end: number) => tf.Tensor5D;

/** Keeps a source's frames as long as one of its readers may ask for them. */
export class FrameBuffer {
  readonly frames: number;
  private held: tf.Tensor5D | undefined;
  /** Frames [start, end) are held. */
  private start = 0;
  private end = 0;
  private readonly marks: number[] = [];
  private readonly source: FrameSource;

  constructor(source: FrameSource) {
    this.source = source;
    this.frames = source.frames;
  }

  /** A new reader; make all readers before the first reads. */
  reader(): Take {
    const index = this.marks.push(0) - 1;
    return (first, end) => {
      this.marks[index] = first;
      this.extend(end);
      this.drop(Math.min(...this.marks));
      return this.slice(first, end);
    };
  }

  dispose(): void {
    this.held?.dispose();
    this.held = undefined;
  }

  private extend(end: number): void {
    if (end <= this.end) return;
    const step = this.source.granularity;
    const target = Math.min(this.frames, Math.ceil(end / step) * step);
    const fresh = this.source.produce(this.end, target);
    const { held } = this;
    this.held = held ? tf.keep(tf.concat([held, fresh], 1)) : tf.keep(fresh);
    if (held) tf.dispose([held, fresh]);
    this.end = target;
  }

  /** Forgets the frames before `first`. */
  private drop(first: number): void {
    const { held } = this;
    if (!held || first <= this.start) return;
    this.held = tf.keep(tf.slice(held, [0, first - this.start], [-1, this.end - first]));
    held.dispose();
    this.start = first;
  }

  private slice(first: number, end: number): tf.Tensor5D {
    if (!this.held)
      throw new Error(`FrameBuffer: frames [${first}, ${end}) were asked for before any was made.`);
    return tf.slice(this.held, [0, first - this.start], [-1, end - first]);
  }
}

/** A clip that is there already; it stays the caller's. */
export function wholeClip(clip: tf.Tensor5D): FrameSource {
  return {
    frames: clip.shape[1],
    granularity: 1,
    produce: (first, end) => tf.slice(clip, [0, first], [-1, end - first]),
  };
}

/** Frame by frame, as norms per channel and activations are. */
export function pointwise(take: Take, frames: number, run: (x: tf.Tensor5D) => tf.Tensor5D): FrameSource {
  return { frames, granularity: 1, produce: (first, end) => tf.tidy(() => run(take(first, end))) };
}

/** A stride-1 convolution; `residual` is added frame by frame. */
export function convolution(
  take: Take,
  frames: number,
  weights: Conv3dWeights,
  residual?: Take,
): FrameSource {
  const kernel = weights.kernel[0];
  const [front] = samePadding(kernel, 1);
  return {
    frames,
    granularity: 1,
    produce: (first, end) =>
      tf.tidy(() => {
        const { from, to, padding } = clampRange(first - front, end - front + kernel - 1, frames);
        return conv3d(take(from, to), weights, { timePadding: padding, residual: residual?.(first, end) });
      }),
  };
}

/** An up-convolution: stride s makes s frames of one. */
export function upConvolution(take: Take, frames: number, weights: ConvTranspose3dWeights): FrameSource {
  const kernel = weights.kernel[0];
  const stride = weights.stride[0];
  const [front, behind] = samePadding(kernel, stride);
  return {
    frames: transposedLength(front + frames + behind, kernel, stride),
    granularity: stride,
    produce: (first, end) =>
      tf.tidy(() => {
        // Outputs from first = i·s on begin with padded frame i; m padded frames make (m - 1)s + 2 - k outputs.
        const start = first / stride - front;
        const count = Math.ceil((end - first + kernel - 2) / stride) + 1;
        const { from, to, padding } = clampRange(start, start + count, frames);
        const y = convTranspose3d(take(from, to), weights, padding);
        return y.shape[1] === end - first ? y : tf.slice(y, [0, 0], [-1, end - first]);
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
