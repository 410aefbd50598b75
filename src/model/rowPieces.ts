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

/** Bytes of the widest activations [rows, 4C]. Less would cost time on wasm. */
const PIECE_BYTES = { webgpu: 16 * 2 ** 20, others: 2 ** 20 } as const;
/** A product with fewer rows reads its weights too often for what it computes, or leaves a graphics card idle. */
const FEWEST_ROWS = { webgpu: 512, others: 128 } as const;
/** On WebGPU a stream is no more pieces than this where their bytes allow it: each program takes time to dispatch. */
const MOST_PIECES = 8;

/**
 * For streams of up to `longest` rows of width C, for each of B samples. On WebGPU one layer is no more than one
 * submit's work.
 */
export function rowsAtOnce(
  width: number,
  longest: number,
  batch = 1,
  kind: 'webgpu' | 'others' = tf.getBackend() === 'webgpu' ? 'webgpu' : 'others',
): RowsAtOnce {
  const inBytes = Math.floor(PIECE_BYTES[kind] / (4 * width * Float32Array.BYTES_PER_ELEMENT));
  const perSample = (rows: number): number => Math.max(1, Math.floor(rows / batch));
  if (kind === 'others') {
    const hidden = Math.max(FEWEST_ROWS.others, inBytes);
    return { attention: perSample(4 * hidden), hidden: perSample(hidden) };
  }
  const inSubmit = Math.max(64, Math.floor(SUBMIT_FLOPS / (8 * width * width) / 64) * 64);
  const wanted = Math.max(FEWEST_ROWS.webgpu, Math.ceil(longest / MOST_PIECES / 64) * 64);
  const rows = perSample(Math.min(wanted, Math.max(FEWEST_ROWS.webgpu, inBytes), inSubmit));
  return { attention: rows, hidden: rows };
}

/** [first, count] of each piece of `rows` rows; none where there are no rows. */
export function piecesOf(rows: number, most: number): [first: number, count: number][] {
  const pieces: [number, number][] = [];
  for (let first = 0; first < rows; first += most) pieces.push([first, Math.min(most, rows - first)]);
  return pieces;
}
