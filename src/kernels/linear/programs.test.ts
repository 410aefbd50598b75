/** Every WGSL program, by itself, over every kind of storage: against the reference on a software GPU, and its text. */
import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import type { MatrixStorage } from '../matrix/wgsl';
import type { TestBackend } from '../testing/backends';
import { expectParity, FLOAT16_TOLERANCE, onBackend, onFloat16, values } from '../testing/parity';
import { randomMatrix } from '../testing/randomMatrix';
import { indented } from '../testing/wgsl';
import { linearReference } from './reference';
import type { LinearVariant } from './shader';
import { chooseTiling, makeProgram, type Tiling } from './tiling';
import { linearOnWebGpu } from './webgpu';

const STORAGES = ['float32', 'int8', 'int4'] as const;
/** Rows a product of tiles and not, more than one tile of 8·R rows, and more inputs than workgroup memory holds at once. */
const CASES: { tiling: Tiling; shapes: [rows: number, inputs: number, outputs: number][] }[] = [
  {
    tiling: { program: 'registerTiles', rows: 1 },
    shapes: [
      [1, 72, 12],
      [3, 21, 7],
    ],
  },
  {
    tiling: { program: 'registerTiles', rows: 8 },
    shapes: [
      [65, 72, 12],
      [3, 21, 7],
    ],
  },
  {
    tiling: { program: 'splitInputs', rows: 1 },
    shapes: [
      [1, 72, 36],
      [1, 21, 35],
    ],
  },
  {
    tiling: { program: 'splitInputs', rows: 4 },
    shapes: [
      [3, 72, 12],
      [4, 135, 34],
    ],
  },
  {
    tiling: { program: 'workgroupTiles', rows: 2, factors: 'f32' },
    shapes: [
      [17, 40, 68],
      [3, 21, 7],
    ],
  },
  {
    tiling: { program: 'workgroupTiles', rows: 8, factors: 'f32' },
    shapes: [
      [65, 40, 68],
      [65, 21, 67],
    ],
  },
];

async function expectAgreement(
  backend: TestBackend,
  tiling: Tiling,
  [rows, inputs, outputs, storage]: readonly [number, number, number, MatrixStorage],
  tolerance: number,
): Promise<void> {
  const matrix = randomMatrix(storage, [inputs, outputs], 8);
  const operands = [values([rows, inputs], 1, 3), values([outputs], 3), values([rows, outputs], 4)];
  const run =
    (op: typeof linearOnWebGpu) =>
    (...[x, bias, residual]: tf.Tensor[]): tf.Tensor =>
      tf.tidy(() =>
        op(
          x as tf.Tensor,
          { weight: matrix(), bias: bias as tf.Tensor1D },
          { activation: 'gelu', residual: residual as tf.Tensor },
          tiling,
        ),
      );
  await expectParity(backend, operands, run(linearOnWebGpu), run(linearReference), tolerance);
}

onBackend('webgpu', 'programs of linear', (backend) => {
  describe.each(CASES)('$tiling.program, $tiling.rows rows a thread', ({ tiling, shapes }) => {
    it.each(shapes.flatMap((shape) => STORAGES.map((storage) => [...shape, storage] as const)))(
      '[%i, %i] to %i channels from %s agrees with the reference',
      async (...sizes) => {
        await expectAgreement(backend, tiling, sizes, 2e-6);
      },
    );
  });
});

onFloat16('programs of linear', (backend) => {
  // The last with so many inputs that float16 sums would show, were they not short.
  const shapes = [
    [17, 40, 68],
    [3, 21, 7],
    [65, 300, 12],
  ] as const;
  it.each(shapes.flatMap((shape) => STORAGES.map((storage) => [...shape, storage] as const)))(
    '[%i, %i] to %i channels from %s agrees with the reference',
    async (...sizes) => {
      const rows = sizes[0] > 64 ? 8 : 2;
      await expectAgreement(
        backend,
        { program: 'workgroupTiles', rows, factors: 'f16' },
        sizes,
        FLOAT16_TOLERANCE,
      );
    },
  );
});

const PLAIN: LinearVariant = {
  storage: 'float32',
  inputsByFour: true,
  outputsByFour: true,
  bias: false,
  gelu: false,
  residual: false,
};
const RECORDS: [name: string, Tiling, LinearVariant][] = [
  [
    'registerTiles.int4',
    { program: 'registerTiles', rows: 4 },
    { ...PLAIN, storage: 'int4', bias: true, gelu: true },
  ],
  [
    'splitInputs.odd',
    { program: 'splitInputs', rows: 1 },
    { ...PLAIN, inputsByFour: false, outputsByFour: false },
  ],
  [
    'workgroupTiles.int8',
    { program: 'workgroupTiles', rows: 2, factors: 'f32' },
    { ...PLAIN, storage: 'int8', residual: true },
  ],
  [
    'workgroupTiles.float16',
    { program: 'workgroupTiles', rows: 2, factors: 'f16' },
    { ...PLAIN, storage: 'int8' },
  ],
];

/** Right or wrong is for the tests above: this shows a change of the code in review. */
it.each(RECORDS)('generates the WGSL on record for %s', async (name, tiling, variant) => {
  const code = makeProgram(tiling, variant, [1, 1]).getUserCode();
  await expect(indented(code)).toMatchFileSnapshot(`./records/${name}.wgsl`);
});

it('gives every variant a key of its own, as tfjs caches pipelines by it', () => {
  const flags = [true, false];
  const variants = STORAGES.flatMap((storage) =>
    flags.flatMap((a) =>
      flags.map((b): LinearVariant => ({ ...PLAIN, storage, bias: a, gelu: b, residual: a !== b })),
    ),
  );
  const half: Tiling = { program: 'workgroupTiles', rows: 8, factors: 'f16' };
  const programs = [...CASES.map(({ tiling }) => tiling), half].flatMap((tiling) =>
    variants.map((variant) => makeProgram(tiling, variant, [1, 1])),
  );
  const codes = new Set(programs.map((program) => program.getUserCode() + program.workgroupSize));
  const keys = new Set(programs.map((program) => program.shaderKey));
  expect(keys.size).toBe(programs.length);
  expect(codes.size).toBe(programs.length);
});

describe('chooseTiling', () => {
  it.each([
    [1, 1024, { program: 'splitInputs', rows: 1 }],
    [4, 1024, { program: 'splitInputs', rows: 4 }],
    [5, 1024, { program: 'workgroupTiles', rows: 2, factors: 'f32' }],
    [256, 256, { program: 'workgroupTiles', rows: 2, factors: 'f32' }],
    [1024, 512, { program: 'workgroupTiles', rows: 8, factors: 'f32' }],
    [8192, 1024, { program: 'workgroupTiles', rows: 8, factors: 'f32' }],
  ])('on a graphics card makes %i rows of %i outputs by %j', (rows, outputs, tiling) => {
    expect(chooseTiling(rows, outputs, { software: false, float16: false })).toEqual(tiling);
  });

  it('multiplies in float16 where the card does and rows are many', () => {
    const card = { software: false, float16: true };
    expect(chooseTiling(1024, 512, card)).toEqual({ program: 'workgroupTiles', rows: 8, factors: 'f16' });
    expect(chooseTiling(1, 512, card)).toEqual({ program: 'splitInputs', rows: 1 });
  });

  it.each([
    [1, { program: 'registerTiles', rows: 1 }],
    [3, { program: 'registerTiles', rows: 4 }],
    [8192, { program: 'registerTiles', rows: 8 }],
  ])('on a software adapter makes %i rows by %j', (rows, tiling) => {
    expect(chooseTiling(rows, 1024, { software: true, float16: false })).toEqual(tiling);
  });
});
