import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { expectParity, onEachBackend, values } from '../testing/parity';
import { type LinearOptions, linear } from './index';
import { linearReference } from './reference';

onEachBackend('linear', (backend) => {
  // Widths that are and are not multiples of four, rows that do and do not fill a tile.
  it.each([
    [[2, 9, 8], 12],
    [[1, 5], 7],
    [[3, 1, 10], 4],
    [[17, 6], 3],
  ])('x %j to %i channels with bias, GELU and residual agrees with the reference', async (shape, outputs) => {
    const inputs = shape.at(-1) ?? 1;
    const operands = [
      values(shape, 1, 3),
      values([inputs, outputs], 2),
      values([outputs], 3),
      values([...shape.slice(0, -1), outputs], 4),
    ];
    for (const options of [{}, { activation: 'gelu' }, { residual: true }] as const) {
      const run =
        (op: typeof linear) =>
        (...[x, weight, bias, residual]: tf.Tensor[]) =>
          op(x as tf.Tensor, { weight: weight as tf.Tensor2D, bias: bias as tf.Tensor1D }, {
            ...options,
            residual: 'residual' in options ? residual : undefined,
          } as LinearOptions);
      await expectParity(backend, operands, run(linear), run(linearReference), 2e-6);
    }
  });

  it('works without a bias', async () => {
    const run =
      (op: typeof linear) =>
      (...[x, weight]: tf.Tensor[]) =>
        op(x as tf.Tensor, { weight: weight as tf.Tensor2D });
    await expectParity(
      backend,
      [values([5, 8], 1), values([8, 8], 2)],
      run(linear),
      run(linearReference),
      1e-6,
    );
  });

  it('gives no rows for no rows', () => {
    const y = tf.tidy(() => linear(tf.zeros([1, 0, 4]), { weight: tf.ones([4, 6]) as tf.Tensor2D }).shape);
    expect(y).toEqual([1, 0, 6]);
  });
});
