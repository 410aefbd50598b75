/**
 * A matrix of weights, [I, O] of a linear layer or [rows, C] of a table: a float32 tensor, or packed integers with scales,
 * which WGSL programs dequantize in registers (wgsl.ts). How weights were quantized is not decided here.
 *
 * Packed: the values of a row lie side by side in 32-bit words, the first in the lowest bits, four of int8 or eight of
 * int4 to a word; each row is padded to whole words. The rows of a group share one scale per column:
 * w[i, o] = q[i, o] * scales[floor(i / group), o]. One scale per column is the case of one group.
 */
import * as tf from '@tensorflow/tfjs-core';

export interface PackedMatrix {
  readonly bits: 4 | 8;
  readonly shape: readonly [rows: number, columns: number];
  /** Rows that share their scales: all of them for int8, a multiple of 4 for int4. */
  readonly group: number;
  /** int32 [rows, ceil(columns·bits/32)] */
  readonly words: tf.Tensor2D;
  /** [ceil(rows/group), columns] */
  readonly scales: tf.Tensor2D;
}

export type Matrix = tf.Tensor2D | PackedMatrix;

/** A packed matrix before it is uploaded. */
export interface PackedValues {
  readonly bits: 4 | 8;
  readonly shape: readonly [rows: number, columns: number];
  readonly group: number;
  readonly words: Int32Array;
  readonly scales: Float32Array;
}

export function isPacked(matrix: Matrix): matrix is PackedMatrix {
  return 'words' in matrix;
}

/** Whether kernels on the current backend read packed matrices; elsewhere they would be dequantized at every call. */
export function readsPacked(): boolean {
  return tf.getBackend() === 'webgpu';
}

/** Words in a row of `columns` values. */
export function wordsPerRow(columns: number, bits: 4 | 8): number {
  return Math.ceil((columns * bits) / 32);
}

/** int8 values, row by row, as words; without a copy where rows fill their words. */
export function packBytes(values: Int8Array, columns: number): Int32Array {
  if (columns % 4 === 0 && values.byteOffset % 4 === 0) {
    return new Int32Array(values.buffer, values.byteOffset, values.length / 4);
  }
  const padded = 4 * Math.ceil(columns / 4);
  const rows = values.length / columns;
  const bytes = new Int8Array(rows * padded);
  for (let row = 0; row < rows; row++) {
    bytes.set(values.subarray(row * columns, (row + 1) * columns), row * padded);
  }
  return new Int32Array(bytes.buffer);
}

/** Tensors on the current backend; they keep `values` until the backend has uploaded them. */
export function uploadMatrix({ bits, shape, group, words, scales }: PackedValues): PackedMatrix {
  const [rows, columns] = shape;
  const fits = bits === 8 ? group >= rows : group % 4 === 0;
  if (!fits) {
    throw new RangeError(
      `uploadMatrix: int8 has one group of all rows, int4 groups of a multiple of 4; got ${group} of ${rows} rows for int${bits}. Quantize again.`,
    );
  }
  return {
    bits,
    shape,
    group,
    words: tf.tensor2d(words, [rows, wordsPerRow(columns, bits)], 'int32'),
    scales: tf.tensor2d(scales, [Math.ceil(rows / group), columns], 'float32'),
  };
}

/** The float32 values, row by row. */
export function unpack({ bits, shape, group, words, scales }: PackedValues): Float32Array<ArrayBuffer> {
  const [rows, columns] = shape;
  const values = new Float32Array(rows * columns);
  const perRow = wordsPerRow(columns, bits);
  const perWord = 32 / bits;
  for (let row = 0; row < rows; row++) {
    const scaleRow = Math.floor(row / group) * columns;
    for (let o = 0; o < columns; o++) {
      const word = words[row * perRow + Math.floor(o / perWord)] ?? 0;
      // Shifted up to the top and back down, which carries the sign along.
      const q = (word << (32 - bits * ((o % perWord) + 1))) >> (32 - bits);
      values[row * columns + o] = q * (scales[scaleRow + o] ?? 0);
    }
  }
  return values;
}

/**
 * The float32 tensor; `matrix` itself where it is one. A packed matrix is read back synchronously, which WebGPU
 * does badly or not at all: there, packed matrices are for the kernels.
 */
export function toFloat32(matrix: Matrix): tf.Tensor2D {
  if (!isPacked(matrix)) return matrix;
  const [words, scales] = [matrix.words.dataSync<'int32'>(), matrix.scales.dataSync<'float32'>()];
  return tf.tensor2d(unpack({ ...matrix, words, scales }), [...matrix.shape], 'float32');
}
