/**
 * How many rows of a stream go through a block's layers at once, so that what is made on the way takes bounded memory,
 * whatever the stream's length. Sizes only; block.ts does the work.
 */
import * as tf from '@tensorflow/tfjs-core';
import { SUBMIT_FLOPS } from '../kernels/gpu';

export interface RowsAtOnce {
  /** Rows whose keys and values, or whose attention, is computed at once: activations [rows, C]. */
  readonly attention: number;
  /** Rows in the feed-forward layer at once: activations [rows, 4C]. */
  readonly hidden: number;
}

export const ALL_ROWS: RowsAtOnce = { attention: Number.POSITIVE_INFINITY, hidden: Number.POSITIVE_INFINITY };

/** Bytes of the widest activations [rows, 4C]. Less would cost time on wasm; a graphics card needs many rows to be busy. */
const PIECE_BYTES = 2 ** 20;
const PIECE_BYTES_GPU = 16 * 2 ** 20;
/** A product with fewer rows reads its weights too often for what it computes. */
const FEWEST_ROWS = 128;

/**
 * At width C, for each of B samples. On WebGPU one layer is no more than one submit's work (1,024 rows at width 1,024).
 */
export function rowsAtOnce(
  width: number,
  batch = 1,
  kind: 'webgpu' | 'others' = tf.getBackend() === 'webgpu' ? 'webgpu' : 'others',
): RowsAtOnce {
  const bytes = 4 * width * Float32Array.BYTES_PER_ELEMENT; // of a row [4C]
  const within = (limit: number): number => Math.max(FEWEST_ROWS, Math.floor(limit / bytes / 64) * 64);
  const perSample = (rows: number): number => Math.max(1, Math.floor(rows / batch));
  if (kind === 'others') {
    const hidden = within(PIECE_BYTES);
    return { attention: perSample(4 * hidden), hidden: perSample(hidden) };
  }
  const submit = Math.max(64, Math.floor(SUBMIT_FLOPS / (8 * width * width) / 64) * 64);
  const rows = perSample(Math.min(within(PIECE_BYTES_GPU), submit));
  return { attention: rows, hidden: rows };
}

/** [first, count] of each piece of `rows` rows; none where there are no rows. */
export function piecesOf(rows: number, most: number): [first: number, count: number][] {
  const pieces: [number, number][] = [];
  for (let first = 0; first < rows; first += most) pieces.push([first, Math.min(most, rows - first)]);
  return pieces;
}
