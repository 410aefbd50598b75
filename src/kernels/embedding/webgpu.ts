/** Sums of embeddings on WebGPU: every row of the result in one program, from tables that may be packed. */
import * as tf from '@tensorflow/tfjs-core';
import { int, runOnGpu } from '../gpu';
import { isPacked, type Matrix } from '../matrix';
import { storageOf, tensorsOf } from '../matrix/wgsl';
import { EmbeddingProgram, type EmbeddingTerm } from './program';

/** Rows of a table [R, C] by index, or a vector [C] in every row. */
export type Term = { readonly table: Matrix; readonly rows: Int32Array } | { readonly vector: tf.Tensor1D };

/** The sum [n, C] of all terms. */
export function embedOnWebGpu(terms: readonly Term[], shape: [number, number]): tf.Tensor2D {
  return tf.tidy(() => {
    const kinds = terms.map((term): EmbeddingTerm => ('vector' in term ? 'vector' : storageOf(term.table)));
    const inputs = terms.flatMap((term): tf.Tensor[] =>
      'vector' in term ? [term.vector] : [...tensorsOf(term.table), tf.tensor1d(term.rows, 'int32')],
    );
    const groups = terms.map((term) => ('table' in term && isPacked(term.table) ? term.table.group : 1));
    const threads = shape[0] * Math.ceil(shape[1] / 4);
    return runOnGpu(
      new EmbeddingProgram(kinds, shape),
      inputs,
      shape,
      [shape[1], threads, ...groups].map(int),
    );
  });
}
