import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { siluReference } from '../silu/reference';
import { expectParity, onEachBackend, tensorOf, values } from '../testing/parity';
import { indented } from '../testing/wgsl';
import { GROUP_NORM_EPSILON, groupNorm } from './index';
import { GroupProgram, NormaliseProgram, StretchProgram } from './programs';
import { groupNormReference } from './reference';

const SHAPE = [2, 2, 3, 2, 8] as const;
const GROUPS = 4;

/** Group by group in float64. */
function expected(x: Float32Array, scale: Float32Array, bias: Float32Array): Float64Array {
  const [batch, t, h, w, channels] = SHAPE;
  const positions = t * h * w;
  const size = channels / GROUPS;
  const y = new Float64Array(x.length);
  for (let b = 0; b < batch; b++) {
    for (let g = 0; g < GROUPS; g++) {
      const at = Array.from({ length: positions * size }, (_, i) => {
        return (b * positions + Math.floor(i / size)) * channels + g * size + (i % size);
      });
      const mean = at.reduce((sum, i) => sum + (x[i] ?? 0), 0) / at.length;
      const variance = at.reduce((sum, i) => sum + ((x[i] ?? 0) - mean) ** 2, 0) / at.length;
      for (const i of at) {
        const normal = ((x[i] ?? 0) - mean) / Math.sqrt(variance + GROUP_NORM_EPSILON);
        y[i] = normal * (scale[i % channels] ?? 0) + (bias[i % channels] ?? 0);
      }
    }
  }
  return y;
}

onEachBackend('groupNorm', (backend) => {
  it('normalises each sample and group over the whole clip', async () => {
    const [x, scale, bias] = [values(SHAPE, 1, 5), values([8], 2), values([8], 3)] as const;
    const y = tf.tidy(() => groupNorm(tensorOf(x), tensorOf(scale), tensorOf(bias), { groups: GROUPS }));
    const want = expected(x.data, scale.data, bias.data);
    const got = await y.data();
    expect(y.shape).toEqual(SHAPE);
    expect(want.reduce((d, v, i) => Math.max(d, Math.abs(v - (got[i] ?? Number.NaN))), 0)).toBeLessThan(2e-6);
    y.dispose();
  });

  it('refuses channels that its groups do not divide', () => {
    tf.tidy(() => {
      const x = tf.zeros([1, 1, 1, 1, 8]) as tf.Tensor5D;
      expect(() => groupNorm(x, tf.ones([8]), tf.ones([8]))).toThrow(
        '8 channels do not divide into 32 groups',
      );
    });
  });

  it('over many positions and followed by SiLU agrees with the reference', async () => {
    const inputs = [values([2, 3, 7, 11, 12], 1, 5), values([12], 2), values([12], 3)];
    await expectParity(
      backend,
      inputs,
      (...[x, scale, bias]) =>
        groupNorm(x as tf.Tensor5D, scale as tf.Tensor1D, bias as tf.Tensor1D, {
          groups: 4,
          activation: 'silu',
        }),
      (...[x, scale, bias]) =>
        tf.tidy(() =>
          siluReference(
            groupNormReference(
              x as tf.Tensor5D,
              scale as tf.Tensor1D,
              bias as tf.Tensor1D,
              4,
              GROUP_NORM_EPSILON,
            ),
          ),
        ),
      2e-6,
    );
  });

  it('does not cancel where the mean is far larger than the spread', async () => {
    const shape = [1, 2, 9, 9, 8];
    const near = { shape, data: values(shape, 5).data.map((x) => 1000 + x) };
    const run =
      (op: (x: tf.Tensor5D, scale: tf.Tensor1D, bias: tf.Tensor1D) => tf.Tensor) =>
      (...[x, scale, bias]: tf.Tensor[]) =>
        op(x as tf.Tensor5D, scale as tf.Tensor1D, bias as tf.Tensor1D);
    await expectParity(
      backend,
      [near, values([8], 2), values([8], 3)],
      run((x, scale, bias) => groupNorm(x, scale, bias, { groups: GROUPS })),
      run((x, scale, bias) => groupNormReference(x, scale, bias, GROUPS, GROUP_NORM_EPSILON)),
      1e-3,
    );
  });
});

it('generates the WGSL on record', async () => {
  const programs = [new StretchProgram(1, 1, 8), new GroupProgram(1, 4), new NormaliseProgram(8, true)];
  const code = programs.map((program) => indented(program.getUserCode())).join('\n');
  await expect(code).toMatchFileSnapshot('./programs.wgsl');
});
