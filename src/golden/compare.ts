/** Comparisons that say where and by how much two arrays differ, and the limits for float32 and float16. */
import * as tf from '@tensorflow/tfjs-core';
import { gpuTraits } from '../kernels/gpu';
import type { Fixture } from './folder';

/** Largest absolute differences allowed. */
const FLOAT32 = {
  logits: 5e-4,
  /** Times max(1, the largest |x| of the tensor). */
  activations: 1e-4,
  video: 2e-4,
  preQuantization: 2e-4,
  /** Squared distance to the second nearest code less that to the nearest. */
  distanceGap: 1e-3,
  probabilities: 1e-5,
  scores: 2e-4,
  /** Grey levels of 8-bit video. */
  levels: 1,
  /** Preprocessing is a few float32 operations. */
  pixels: 1e-5,
} as const;

export type Limits = Readonly<Record<keyof typeof FLOAT32, number>>;

/**
 * Where products are made in float16 (kernels/float16.ts). A layer adds some 5e-4 of its largest value, and here are up to
 * nine layers of blocks with random weights, which is the hard case: no logit stands out. One and a half times to twice
 * what lavapipe shows; logits differ by a tenth of what int8 weights cost, decoded video by up to one grey level in 255.
 */
const FLOAT16: Limits = {
  ...FLOAT32,
  logits: 0.05,
  activations: 6e-3,
  video: 6e-3,
  preQuantization: 8e-3,
  distanceGap: 0.04,
  scores: 0.02,
};

/** Draws that may go to another code than float32's, given the same noise. */
export const FLOAT16_DRAWS = 0.03;

/** Whether the current backend makes products in float16. */
export const inFloat16 = (): boolean => tf.getBackend() === 'webgpu' && gpuTraits().float16;

/** Of the current backend. */
export const limits = (): Limits => (inFloat16() ? FLOAT16 : FLOAT32);

/** Throws unless shapes agree and no element differs by more than `limit`. Returns the largest difference. */
export function expectClose(actual: Fixture, expected: Fixture, limit: number): string {
  expectShape(actual.shape, expected.shape);
  let worst = 0;
  let where = -1;
  for (let i = 0; i < expected.values.length; i++) {
    const difference = Math.abs((actual.values[i] ?? Number.NaN) - (expected.values[i] ?? 0));
    if (difference > worst || Number.isNaN(difference)) {
      worst = difference;
      where = i;
      if (Number.isNaN(difference)) break;
    }
  }
  if (!(worst <= limit)) {
    const pair = `${actual.values[where]} instead of ${expected.values[where]}`;
    throw new Error(
      `differs by ${worst.toExponential(2)} (limit ${limit.toExponential(1)}) at ${where}: ${pair}`,
    );
  }
  return worst.toExponential(1);
}

/** Throws unless both are the same whole numbers in the same order. */
export function expectSame(actual: ArrayLike<number>, expected: ArrayLike<number>, what: string): void {
  if (actual.length !== expected.length) {
    throw new Error(`${what}: ${actual.length} instead of ${expected.length} values`);
  }
  for (let i = 0; i < expected.length; i++) {
    if (actual[i] !== expected[i]) throw new Error(`${what}: ${actual[i]} instead of ${expected[i]} at ${i}`);
  }
}

export function expectEqual(actual: unknown, expected: unknown, what: string): void {
  const [a, b] = [JSON.stringify(actual), JSON.stringify(expected)];
  if (a !== b) throw new Error(`${what}: ${a} instead of ${b}`);
}

export function expectShape(actual: readonly number[], expected: readonly number[]): void {
  expectEqual(actual, expected, 'shape');
}

/** Largest |x|. */
export function magnitude({ values }: Fixture): number {
  let largest = 0;
  for (let i = 0; i < values.length; i++) largest = Math.max(largest, Math.abs(values[i] ?? 0));
  return largest;
}

/** [B, C, T, H, W] → [B, T, H, W, C]. */
export function channelsLast({ shape, values }: Fixture): Fixture {
  const [batch = 0, channels = 0, ...rest] = shape;
  const points = rest.reduce((product, extent) => product * extent, 1);
  const out = new Float32Array(values.length);
  for (let b = 0; b < batch; b++) {
    for (let c = 0; c < channels; c++) {
      for (let p = 0; p < points; p++) {
        out[(b * points + p) * channels + c] = values[(b * channels + c) * points + p] ?? 0;
      }
    }
  }
  return { shape: [batch, ...rest, channels], values: out };
}
