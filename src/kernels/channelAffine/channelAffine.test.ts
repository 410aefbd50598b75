import type * as tf from '@tensorflow/tfjs-core';
import { it } from 'vitest';
import { silu } from '../silu';
import { siluReference } from '../silu/reference';
import { expectParity, onEachBackend, values } from '../testing/parity';
import { channelAffine } from './index';
import { channelAffineReference } from './reference';

onEachBackend('channelAffine', (backend) => {
  it.each([undefined, 'silu'] as const)('followed by %s agrees with the reference', async (activation) => {
    const run =
      (op: typeof channelAffine | typeof channelAffineReference) =>
      (...[x, scale, bias]: tf.Tensor[]) =>
        op(x as tf.Tensor5D, scale as tf.Tensor1D, bias as tf.Tensor1D, activation);
    const inputs = [values([2, 3, 2, 3, 5], 1, 8), values([5], 2), values([5], 3)];
    await expectParity(backend, inputs, run(channelAffine), run(channelAffineReference), 1e-6);
  });
});

onEachBackend('silu', (backend) => {
  it('agrees with the reference, also far out', async () => {
    const run = (op: typeof silu) => (x: tf.Tensor) => op(x);
    await expectParity(
      backend,
      [values([7, 31], 1, 120)],
      run(silu),
      run(siluReference as typeof silu),
      1e-6,
    );
  });
});
