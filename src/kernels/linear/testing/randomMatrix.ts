/** Matrices of every kind of storage with fixed random values, for tests and benches of linear layers. */
import * as tf from '@tensorflow/tfjs-core';
import { type Matrix, uploadMatrix, wordsPerRow } from '../matrix';

/** Makes the matrix [I, O] on the backend that is current when the result is called, the same values every time. */
export function randomMatrix(
  storage: 'float32' | 'int8' | 'int4',
  shape: readonly [inputs: number, outputs: number],
  group = 32,
): () => Matrix {
  const [inputs, outputs] = shape;
  const next = numbers(inputs * 31 + outputs);
  if (storage === 'float32') {
    const data = Float32Array.from({ length: inputs * outputs }, () => next() / 2 ** 31 - 1);
    return () => tf.tensor2d(data.slice(), [inputs, outputs]);
  }
  const bits = storage === 'int8' ? 8 : 4;
  const rows = storage === 'int8' ? inputs : group;
  const words = Int32Array.from({ length: inputs * wordsPerRow(outputs, bits) }, () => next() | 0);
  const scales = Float32Array.from(
    { length: Math.ceil(inputs / rows) * outputs },
    () => (0.5 + next() / 2 ** 33) / 2 ** (bits - 1),
  );
  return () => uploadMatrix({ bits, shape, group: rows, words: words.slice(), scales: scales.slice() });
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
