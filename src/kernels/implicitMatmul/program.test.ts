import { expect, it } from 'vitest';
import { ImplicitMatmulProgram, type MatmulVariant } from './program';

/** The generated WGSL is kept, so that a change to it shows in review. Right or wrong is for the ops' parity tests. */
const VARIANTS: Record<string, MatmulVariant> = {
  convolution: {
    transposed: false,
    inputsByFour: true,
    outputsByFour: true,
    rows: 4,
    bias: true,
    gelu: false,
    residual: true,
  },
  'odd-transposed': {
    transposed: true,
    inputsByFour: false,
    outputsByFour: false,
    rows: 4,
    bias: true,
    gelu: false,
    residual: false,
  },
};

it.each(Object.entries(VARIANTS))('generates the WGSL on record for %s', async (name, variant) => {
  const code = new ImplicitMatmulProgram(variant, [1, 1], 1).getUserCode();
  await expect(tidy(code)).toMatchFileSnapshot(`./program.${name}.wgsl`);
});

it('gives every variant a key of its own, as tfjs caches pipelines by it', () => {
  const flags = [true, false];
  const keys = flags.flatMap((transposed) =>
    flags.flatMap((gelu) =>
      flags.flatMap((residual) =>
        ([4, 8] as const).map((rows) => {
          const variant = {
            transposed,
            gelu,
            residual,
            rows,
            bias: true,
            inputsByFour: true,
            outputsByFour: true,
          };
          return new ImplicitMatmulProgram(variant, [1, 1], 1).shaderKey;
        }),
      ),
    ),
  );
  expect(new Set(keys).size).toBe(keys.length);
});

/** Indented by depth, so that the record can be read. */
function tidy(code: string): string {
  let depth = 0;
  const lines = code.split('\n').map((line) => line.trim());
  const indented = lines.filter(Boolean).map((line) => {
    const closes = line.startsWith('}') ? 1 : 0;
    const text = '  '.repeat(Math.max(0, depth - closes)) + line;
    depth += (line.match(/{/g)?.length ?? 0) - (line.match(/}/g)?.length ?? 0);
    return text;
  });
  return `${indented.join('\n')}\n`;
}
