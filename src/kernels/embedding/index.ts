/**
 * Rows of a table by index, and sums of a token's and a position's row. Indices are checked here, as a GPU would read
 * garbage; they go to the device as int32.
 */
import * as tf from '@tensorflow/tfjs-core';
import { runOnHeap } from '../heap';
import { type Matrix, toFloat32 } from '../matrix';
import { embedAtReference } from './reference';
import { embedOnWebGpu } from './webgpu';

/** What stands at each position: rows of a table [V, C] by code, or the same vector [C] everywhere. */
export type TokenRows =
  | { readonly table: Matrix; readonly codes: Int32Array }
  | { readonly vector: tf.Tensor1D };

/** table [R, C], rows: indices -> [rows.length, C]. Throws on an index outside the table. */
export function embedding(table: Matrix, rows: Int32Array): tf.Tensor2D {
  checkIndices(table, rows);
  if (rows.length === 0) return tf.zeros([0, table.shape[1]]) as tf.Tensor2D;
  switch (tf.getBackend()) {
    case 'webgpu':
      return embedOnWebGpu([{ table, rows }], [rows.length, table.shape[1]]);
    case 'wasm':
      return tf.tidy(() => copyRows(toFloat32(table), rows));
    default:
      return tf.tidy(() => tf.gather(toFloat32(table), tf.tensor1d(rows, 'int32')));
  }
}

/**
 * What stands at n positions, plus their rows of the position table [P, C] -> [n, C]; one kernel on WebGPU.
 * Throws on an index outside its table, or when codes and positions differ in number.
 */
export function embedAt(tokens: TokenRows, positionTable: Matrix, positions: Int32Array): tf.Tensor2D {
  checkIndices(positionTable, positions);
  if ('codes' in tokens) {
    checkIndices(tokens.table, tokens.codes);
    if (tokens.codes.length !== positions.length) {
      throw new RangeError(
        `embedding: ${tokens.codes.length} codes for ${positions.length} positions; give as many of one as of the other.`,
      );
    }
  }
  const width = positionTable.shape[1];
  if (positions.length === 0) return tf.zeros([0, width]) as tf.Tensor2D;
  switch (tf.getBackend()) {
    case 'webgpu':
      return embedOnWebGpu(
        [
          'codes' in tokens ? { table: tokens.table, rows: tokens.codes } : tokens,
          { table: positionTable, rows: positions },
        ],
        [positions.length, width],
      );
    case 'wasm':
      return embedOnWasm(tokens, positionTable, positions);
    default:
      return embedAtReference(tokens, positionTable, positions);
  }
}

function checkIndices(table: Matrix, rows: Int32Array): void {
  const [count] = table.shape;
  for (const row of rows) {
    if (row < 0 || row >= count) {
      throw new RangeError(
        `embedding: index ${row} is outside the table of ${count} rows; indices are 0-based.`,
      );
    }
  }
}

/** `tf.gather` is slow on wasm. */
function copyRows(table: tf.Tensor2D, rows: Int32Array): tf.Tensor2D {
  const [, width] = table.shape;
  return runOnHeap([table], [rows.length, width], (heap, output, input) => {
    rows.forEach((row, i) => {
      heap.copyWithin(output + i * width, input + row * width, input + (row + 1) * width);
    });
  });
}

/** Both rows added in one pass: the result is all that is made. */
function embedOnWasm(tokens: TokenRows, positionTable: Matrix, positions: Int32Array): tf.Tensor2D {
  const width = positionTable.shape[1];
  return tf.tidy(() => {
    const table = 'codes' in tokens ? toFloat32(tokens.table) : tokens.vector;
    const codes = 'codes' in tokens ? tokens.codes : undefined;
    const inputs = [table, toFloat32(positionTable)];
    return runOnHeap(inputs, [positions.length, width], (heap, output, token = 0, place = 0) => {
      positions.forEach((position, i) => {
        const target = output + i * width;
        const [a, b] = [token + (codes?.[i] ?? 0) * width, place + position * width];
        for (let c = 0; c < width; c++) heap[target + c] = (heap[a + c] ?? 0) + (heap[b + c] ?? 0);
      });
    });
  });
}
