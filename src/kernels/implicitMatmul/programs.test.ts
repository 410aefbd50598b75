/** Every WGSL program of a convolution, by itself: the tiles against the reference, and the text of all. */
import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import type { Extent3 } from '../../config/model';
import { conv3dReference } from '../conv3d/reference';
import { convolveOnWebGpu } from '../conv3d/webgpu';
import { convTranspose3dReference } from '../convTranspose3d/reference';
import type { ProductTile } from '../productTiles';
import { siluReference } from '../silu/reference';
import type { TestBackend } from '../testing/backends';
import { expectParity, FLOAT16_TOLERANCE, onBackend, onFloat16, values } from '../testing/parity';
import { indented } from '../testing/wgsl';
import { RegisterMatmulProgram } from './registerProgram';
import type { MatmulVariant } from './shader';
import { TilesMatmulProgram } from './tilesProgram';
import { chooseMatmul } from './tiling';

interface Case {
  readonly x: readonly number[];
  readonly kernel: Extent3;
  readonly outputs: number;
  readonly stride: Extent3;
  readonly transposed: boolean;
  readonly tile: Omit<ProductTile, 'factors'>;
  readonly activation?: 'silu';
}

/** Positions that fill a tile and do not, several tiles of rows and of outputs, channels that are no multiples of four. */
const CASES: Record<string, Case> = {
  'kernel 3, batch 2': {
    x: [2, 3, 4, 5, 20],
    kernel: [3, 3, 3],
    outputs: 36,
    stride: [1, 1, 1],
    transposed: false,
    tile: { across: 8, rows: 2 },
  },
  'odd channels, stride 2': {
    x: [1, 4, 6, 10, 13],
    kernel: [4, 4, 4],
    outputs: 67,
    stride: [1, 2, 2],
    transposed: false,
    tile: { across: 16, rows: 4 },
    activation: 'silu',
  },
  transposed: {
    x: [2, 3, 2, 5, 24],
    kernel: [4, 4, 4],
    outputs: 32,
    stride: [2, 2, 2],
    transposed: true,
    tile: { across: 8, rows: 8 },
  },
  'transposed, odd channels and kernel': {
    x: [1, 2, 3, 4, 18],
    kernel: [4, 3, 5],
    outputs: 13,
    stride: [1, 2, 2],
    transposed: true,
    tile: { across: 16, rows: 2 },
  },
};

async function expectAgreement(
  backend: TestBackend,
  { x, kernel, outputs, stride, transposed, tile, activation }: Case,
  factors: ProductTile['factors'],
  tolerance: number,
): Promise<void> {
  const inputs = x[4] ?? 1;
  const operands = [values(x, 1), values([...kernel, inputs, outputs], 2), values([outputs], 3)];
  const reference = transposed ? convTranspose3dReference : conv3dReference;
  await expectParity(
    backend,
    operands,
    (...[x, weight, bias]) =>
      convolveOnWebGpu(
        x as tf.Tensor5D,
        weight as tf.Tensor5D,
        bias as tf.Tensor1D,
        { stride, transposed, activation },
        { program: 'tiles', tile: { ...tile, factors } },
      ),
    (...[x, weight, bias]) =>
      tf.tidy(() => {
        const y = reference(x as tf.Tensor5D, weight as tf.Tensor5D, bias as tf.Tensor1D, stride);
        return activation ? siluReference(y) : y;
      }),
    tolerance,
  );
}

onBackend('webgpu', 'convolution by tiles', (backend) => {
  it.each(Object.entries(CASES))('%s agrees with the reference', async (_, given) => {
    await expectAgreement(backend, given, 'f32', 2e-6);
  });
});

onFloat16('convolution by tiles', (backend) => {
  it.each(Object.entries(CASES))('%s agrees with the reference', async (_, given) => {
    await expectAgreement(backend, given, 'f16', FLOAT16_TOLERANCE);
  });
});

const PLAIN: MatmulVariant = {
  transposed: false,
  inputsByFour: true,
  outputsByFour: true,
  bias: true,
  silu: false,
  residual: true,
};
const ODD: MatmulVariant = {
  transposed: true,
  inputsByFour: false,
  outputsByFour: false,
  bias: true,
  silu: false,
  residual: false,
};
const HALF: ProductTile = { across: 8, rows: 4, factors: 'f16' };

/** Right or wrong is for the tests above and the ops' own: this shows a change of the code in review. */
it.each([
  ['registers.convolution', new RegisterMatmulProgram(PLAIN, 4, [1, 1], 1)],
  ['registers.odd-transposed', new RegisterMatmulProgram(ODD, 4, [1, 1], 1)],
  ['tiles.convolution', new TilesMatmulProgram(PLAIN, { ...HALF, factors: 'f32' }, [1, 1], 1)],
  ['tiles.odd-transposed-float16', new TilesMatmulProgram(ODD, HALF, [1, 1], 1)],
])('generates the WGSL on record for %s', async (name, program) => {
  await expect(indented(program.getUserCode())).toMatchFileSnapshot(`./records/${name}.wgsl`);
});

it('gives every variant a key of its own, as tfjs caches pipelines by it', () => {
  const flags = [true, false];
  const variants = flags.flatMap((transposed) =>
    flags.flatMap((residual) => flags.map((silu) => ({ ...PLAIN, transposed, residual, silu }))),
  );
  const tiles = ([2, 8] as const).flatMap((rows) =>
    (['f16', 'f32'] as const).flatMap((factors) =>
      ([8, 16] as const).map((across) => ({ across, rows, factors })),
    ),
  );
  const keys = variants.flatMap((variant) => [
    ...([4, 8] as const).map((rows) => new RegisterMatmulProgram(variant, rows, [1, 1], 1).shaderKey),
    ...tiles.map((tile) => new TilesMatmulProgram(variant, tile, [1, 1], 1).shaderKey),
  ]);
  expect(new Set(keys).size).toBe(keys.length);
});

describe('chooseMatmul', () => {
  const size = { positions: 32768, columns: 32, inputs: 64, outputs: 64 };
  const card = { software: false, float16: true };

  it('takes tiles on a graphics card, narrow ones for few outputs, in float16 where it has that', () => {
    const wide = { across: 16, rows: 8, factors: 'f16' };
    expect(chooseMatmul(size, card)).toEqual({ program: 'tiles', tile: wide });
    expect(chooseMatmul({ ...size, outputs: 32 }, card)).toMatchObject({ tile: { across: 8 } });
    expect(chooseMatmul(size, { ...card, float16: false })).toMatchObject({ tile: { factors: 'f32' } });
  });

  it('takes smaller tiles where there are few positions', () => {
    expect(chooseMatmul({ ...size, positions: 1024 }, card)).toMatchObject({ tile: { rows: 2 } });
  });

  it('keeps to registers on a software adapter, and for few channels', () => {
    const registers = { program: 'registers', rows: 8 };
    expect(chooseMatmul(size, { software: true, float16: false })).toEqual(registers);
    expect(chooseMatmul({ ...size, outputs: 3 }, card)).toEqual(registers);
    expect(chooseMatmul({ ...size, inputs: 3, columns: 4 }, card)).toEqual({ program: 'registers', rows: 4 });
  });
});
