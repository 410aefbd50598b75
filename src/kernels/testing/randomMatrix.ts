/** Matrices of every kind of storage with fixed random values, for tests and benches. */
import * as tf from '@tensorflow/tfjs-core';
import { type Matrix, uploadMatrix, wordsPerRow } from '../matrix';
import type { MatrixStorage } from '../matrix/wgsl';

/** Gives a function that makes the matrix on the backend that is then current, with the same values every time. */
export function randomMatrix(
  storage: MatrixStorage,
  shape: readonly [rows: number, columns: number],
  group = 32,
): () => Matrix {
  const [rows, columns] = shape;
  const next = numbers(rows * 31 + columns);
  if (storage === 'float32') {
    const data = Float32Array.from({ length: rows * columns }, () => next() / 2 ** 31 - 1);
    return () => tf.tensor2d(data.slice(), [rows, columns]);
  }
  const bits = storage === 'int8' ? 8 : 4;
  const perGroup = storage === 'int8' ? rows : group;
  const words = Int32Array.from({ length: rows * wordsPerRow(columns, bits) }, () => next() | 0);
  const scales = Float32Array.from(
    { length: Math.ceil(rows / perGroup) * columns },
    () => (0.5 + next() / 2 ** 33) / 2 ** (bits - 1),
  );
  return () => uploadMatrix({ bits, shape, group: perGroup, words: words.slice(), scales: scales.slice() });
}

/** Whole numbers in [0, 2³²): a counter through the finaliser of MurmurHash3. */
function numbers(seed: number): () => number {
  let counter = seed >>> 0;
  return () => {
    counter = (counter + 0x9e3779b9) >>> 0;
    let x = counter;
    x = Math.imul(x ^ (x >>> 16), 0x85ebca6b);
    x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
    return (x ^ (x >>> 16)) >>> 0;
  };
}
