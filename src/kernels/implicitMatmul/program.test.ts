import { expect, it } from 'vitest';
import { indented } from '../testing/wgsl';
import { ImplicitMatmulProgram, type MatmulVariant } from './program';

/** The generated WGSL is kept, so that a change to it shows in review. Right or wrong is for the ops' parity tests. */
const VARIANTS: Record<string, MatmulVariant> = {
  convolution: {
    transposed: false,
    inputsByFour: true,
    outputsByFour: true,
    rows: 4,
    bias: true,
    residual: true,
  },
  'odd-transposed': {
    transposed: true,
    inputsByFour: false,
    outputsByFour: false,
    rows: 4,
    bias: true,
    residual: false,
  },
};

it.each(Object.entries(VARIANTS))('generates the WGSL on record for %s', async (name, variant) => {
  const code = new ImplicitMatmulProgram(variant, [1, 1], 1).getUserCode();
  await expect(indented(code)).toMatchFileSnapshot(`./program.${name}.wgsl`);
});

it('gives every variant a key of its own, as tfjs caches pipelines by it', () => {
  const flags = [true, false];
  const keys = flags.flatMap((transposed) =>
    flags.flatMap((residual) =>
      ([4, 8] as const).map((rows) => {
        const variant = { transposed, residual, rows, bias: true, inputsByFour: true, outputsByFour: true };
        return new ImplicitMatmulProgram(variant, [1, 1], 1).shaderKey;
      }),
    ),
  );
  expect(new Set(keys).size).toBe(keys.length);
});
