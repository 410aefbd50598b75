import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { expectParity, onEachBackend, values } from '../testing/parity';
import { writeRows } from './index';
import { writeRowsReference } from './reference';

onEachBackend('writeRows', (backend) => {
  it.each([
    [5, 1, 0, 6],
    [5, 1, 4, 6],
    [9, 3, 2, 70],
    [4, 4, 0, 3],
  ])(
    'of %i rows writes %i from row %i on, width %i, and no others',
    async (capacity, count, first, width) => {
      await expectParity(
        backend,
        [values([1, capacity, width], 1), values([1, count, width], 2)],
        (target, rows) => {
          writeRows(target as tf.Tensor3D, rows as tf.Tensor3D, first);
          return (target as tf.Tensor).clone();
        },
        (target, rows) => writeRowsReference(target as tf.Tensor3D, rows as tf.Tensor3D, first),
        0,
      );
    },
  );

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
    });
  });
});
