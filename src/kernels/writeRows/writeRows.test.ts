import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { expectParity, onEachBackend, values } from '../testing/parity';
import { unwritten, writeRows } from './index';
import { writeRowsReference } from './reference';

onEachBackend('writeRows', (backend) => {
  it.each([
    [1, 5, 1, 0, 6],
    [1, 5, 1, 4, 6],
    [1, 9, 3, 2, 70],
    [1, 4, 4, 0, 3],
    [3, 7, 2, 4, 8],
    [2, 4, 3, 1, 5],
  ])(
    'in %i samples of %i rows writes %i from row %i on, width %i, and no others',
    async (batch, capacity, count, first, width) => {
      await expectParity(
        backend,
        [values([batch, capacity, width], 1), values([batch, count, width], 2)],
        (target, rows) => {
          writeRows(target as tf.Tensor3D, rows as tf.Tensor3D, first);
          return (target as tf.Tensor).clone();
        },
        (target, rows) => writeRowsReference(target as tf.Tensor3D, rows as tf.Tensor3D, first),
        0,
      );
    },
  );

  it('makes a tensor of rows to be written', async () => {
    const target = unwritten([2, 3, 4]);
    const rows = tf.fill([2, 3, 4], 7) as tf.Tensor3D;
    writeRows(target, rows, 0);
    expect([...(await target.data())]).toEqual(new Array(24).fill(7));
    tf.dispose([target, rows]);
  });

  it('adds to what was written before', async () => {
    const target = tf.fill([1, 3, 2], 0) as tf.Tensor3D;
    for (const first of [0, 1, 2]) {
      const rows = tf.fill([1, 1, 2], first + 1) as tf.Tensor3D;
      writeRows(target, rows, first);
      rows.dispose();
    }
    expect([...(await target.data())]).toEqual([1, 1, 2, 2, 3, 3]);
    target.dispose();
  });

  it('refuses rows that do not fit', () => {
    tf.tidy(() => {
      const target = tf.fill([1, 3, 2], 0) as tf.Tensor3D;
      const rows = tf.fill([1, 2, 2], 1) as tf.Tensor3D;
      expect(() => writeRows(target, rows, 2)).toThrow("rows 2 to 4 are outside the target's 3 rows");
      expect(() => writeRows(target, tf.fill([1, 1, 3], 1), 0)).toThrow('rows [1, 1, 3] for a target');
      expect(() => writeRows(target, tf.fill([2, 1, 2], 1), 0)).toThrow('rows [2, 1, 2] for a target');
    });
  });
});
