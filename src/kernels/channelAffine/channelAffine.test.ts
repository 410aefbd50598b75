import type * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { silu } from '../silu';
import { siluReference } from '../silu/reference';
import { expectParity, onEachBackend, values } from '../testing/parity';
import { indented } from '../testing/wgsl';
import { channelAffine } from './index';
import { ChannelAffineProgram } from './program';
import { channelAffineReference } from './reference';

onEachBackend('channelAffine', (backend) => {
  it.each([undefined, 'silu'] as const)('followed by %s agrees with the reference', async (activation) => {
    const run =
      (op: typeof channelAffine | typeof channelAffineReference) =>
      (...[x, scale, bias]: tf.Tensor[]) =>
        op(x as tf.Tensor5D, scale as tf.Tensor1D, bias as tf.Tensor1D, activation);
    for (const channels of [5, 8]) {
      const inputs = [values([2, 3, 2, 3, channels], 1, 8), values([channels], 2), values([channels], 3)];
      await expectParity(backend, inputs, run(channelAffine), run(channelAffineReference), 1e-6);
    }
  });
});

onEachBackend('silu', (backend) => {
  it('agrees with the reference, also far out', async () => {
    const run = (op: typeof silu) => (x: tf.Tensor) => op(x);
    const inputs = [values([7, 31], 1, 120)];
    await expectParity(backend, inputs, run(silu), run(siluReference as typeof silu), 1e-6);
  });
});

it('generates the WGSL on record', async () => {
  const code = new ChannelAffineProgram(8, 4, true, true).getUserCode();
  await expect(indented(code)).toMatchFileSnapshot('./program.wgsl');
});
