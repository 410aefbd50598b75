import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { type Matrix, toFloat32 } from '../matrix';
import { expectParity, onEachBackend, values } from '../testing/parity';
import { randomMatrix } from '../testing/randomMatrix';
import { indented } from '../testing/wgsl';
import { embedAt, embedding, type TokenRows } from './index';
import { EmbeddingProgram } from './program';
import { embedAtReference } from './reference';

const CODES = Int32Array.of(6, 0, 6, 3, 1);
const POSITIONS = Int32Array.of(8, 2, 0, 8, 5);

onEachBackend('embedding', (backend) => {
  it('takes rows in order, repeated ones too', async () => {
    const y = tf.tidy(() => embedding(tf.tensor2d([0, 1, 10, 11, 20, 21], [3, 2]), Int32Array.of(2, 0, 2)));
    expect([...(await y.data())]).toEqual([20, 21, 0, 1, 20, 21]);
    y.dispose();
  });

  it('gives no rows for no indices', () => {
    expect(tf.tidy(() => embedding(tf.ones([3, 2]), new Int32Array(0)).shape)).toEqual([0, 2]);
  });

  it.each([-1, 3])('refuses index %i of a table of 3', (index) => {
    tf.tidy(() => {
      expect(() => embedding(tf.ones([3, 2]), Int32Array.of(index))).toThrow(
        `index ${index} is outside the table of 3`,
      );
    });
  });

  it.each([12, 7])('adds the rows of tokens and positions, width %i', async (width) => {
    const tables = [values([7, width], 1), values([9, width], 2)];
    const run =
      (op: typeof embedAt) =>
      (...[table, positions]: tf.Tensor[]) =>
        op({ table: table as tf.Tensor2D, codes: CODES }, positions as tf.Tensor2D, POSITIONS);
    await expectParity(backend, tables, run(embedAt), run(embedAtReference), 0);
  });

  it.each([12, 7])('adds one vector to the rows of positions, width %i', async (width) => {
    const tables = [values([width], 1), values([9, width], 2)];
    const run =
      (op: typeof embedAt) =>
      (...[vector, positions]: tf.Tensor[]) =>
        op({ vector: vector as tf.Tensor1D }, positions as tf.Tensor2D, POSITIONS);
    await expectParity(backend, tables, run(embedAt), run(embedAtReference), 0);
  });

  it.each([
    ['int8', 'int4', 12],
    ['int4', 'int8', 7],
    ['vector', 'int8', 7],
  ] as const)('adds rows of packed tables, %s and %s, width %i', async (tokens, positions, width) => {
    const vector = values([width], 1);
    const table = randomMatrix(tokens === 'vector' ? 'float32' : tokens, [7, width], 4);
    const positionTable = randomMatrix(positions, [9, width], 4);
    const run =
      (op: typeof embedAt) =>
      (...[constant]: tf.Tensor[]) =>
        tf.tidy(() =>
          op(
            tokens === 'vector' ? { vector: constant as tf.Tensor1D } : { table: table(), codes: CODES },
            positionTable(),
            POSITIONS,
          ),
        );
    await expectParity(backend, [vector], run(embedAt), run(embedAtReference), 2e-7);
  });

  it('takes rows of a packed table', async () => {
    const table = randomMatrix('int8', [7, 6]);
    const run = (op: (table: Matrix) => tf.Tensor) => (): tf.Tensor => tf.tidy(() => op(table()));
    const rows = (of: Matrix): tf.Tensor => tf.gather(toFloat32(of), tf.tensor1d(CODES, 'int32'));
    await expectParity(
      backend,
      [],
      run((of) => embedding(of, CODES)),
      run(rows),
      0,
    );
  });

  it('refuses codes and positions that do not fit the tables or one another', () => {
    tf.tidy(() => {
      const at = (tokens: TokenRows, positions: Int32Array) => () =>
        embedAt(tokens, tf.ones([3, 2]), positions);
      const table: tf.Tensor2D = tf.ones([3, 2]);
      expect(at({ vector: tf.ones([2]) }, Int32Array.of(3))).toThrow('index 3 is outside the table of 3');
      expect(at({ table, codes: Int32Array.of(-1) }, Int32Array.of(1))).toThrow('index -1 is outside');
      expect(at({ table, codes: Int32Array.of(1) }, Int32Array.of(0, 1))).toThrow('1 codes for 2 positions');
      expect(at({ vector: tf.ones([2]) }, new Int32Array(0))().shape).toEqual([0, 2]);
    });
  });
});

it('generates the WGSL on record', async () => {
  const code = new EmbeddingProgram(['int8', 'float32'], [1, 4]).getUserCode();
  await expect(indented(code)).toMatchFileSnapshot('./program.wgsl');
});
