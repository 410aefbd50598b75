/** Runs the programs of a convolution: works out extents, tiles and threads. WebGPU only; the ops' index files choose it. */
import type { WebGPUProgram } from '@tensorflow/tfjs-backend-webgpu';
import type * as tf from '@tensorflow/tfjs-core';
import type { Extent3 } from '../../config/model';
import type { Padding } from '../conv3d/padding';
import { gpuTraits, int, runOnGpu } from '../gpu';
import { type ProductTile, rowsOfTile } from '../productTiles';
import { RegisterMatmulProgram } from './registerProgram';
import type { MatmulVariant } from './shader';
import { TilesMatmulProgram } from './tilesProgram';
import { chooseMatmul, type MatmulTiling } from './tiling';

export interface MatmulShape {
  readonly batch: number;
  readonly input: Extent3;
  readonly output: Extent3;
  readonly kernel: Extent3;
  readonly stride: Extent3;
  readonly paddings: readonly [Padding, Padding, Padding];
  /** I and O. */
  readonly inputs: number;
  readonly outputs: number;
  readonly transposed: boolean;
}

export interface MatmulOperands {
  /** [B, T, H, W, I] in memory, whatever its shape. */
  readonly x: tf.Tensor;
  /** [kt, kh, kw, I, O] in memory. */
  readonly weight: tf.Tensor;
  readonly bias?: tf.Tensor1D | undefined;
  /** SiLU of the products and the bias. */
  readonly silu?: boolean | undefined;
  /** Added last; as large as the result. */
  readonly residual?: tf.Tensor | undefined;
}

/**
 * The result with the shape `resultShape`; B·T'·H'·W'·O elements. `tiling` is chosen by shape and adapter when left out;
 * tests go through all of them.
 */
export function implicitMatmul<T extends tf.Tensor>(
  shape: MatmulShape,
  { x, weight, bias, silu = false, residual }: MatmulOperands,
  resultShape: readonly number[],
  tiling: MatmulTiling = chooseMatmul(sizeOf(shape), gpuTraits()),
): T {
  const { input, output, kernel, stride, paddings, inputs, outputs } = shape;
  const variant: MatmulVariant = {
    transposed: shape.transposed,
    inputsByFour: inputs % 4 === 0,
    outputsByFour: outputs % 4 === 0,
    bias: bias !== undefined,
    silu,
    residual: residual !== undefined,
  };
  const { program, share } =
    tiling.program === 'registers'
      ? inRegisters(shape, variant, tiling.rows)
      : inTiles(shape, variant, tiling.tile);
  const axes = ([0, 1, 2] as const).flatMap((i) =>
    [input[i], output[i], kernel[i], stride[i], paddings[i][0]].map(int),
  );
  return runOnGpu<T>(
    program,
    [x, weight, ...(bias ? [bias] : []), ...(residual ? [residual] : [])],
    resultShape,
    [...axes, ...[inputs, outputs, ...share].map(int)],
    convolutionFlops(shape),
  );
}

const volume = ([t, h, w]: Extent3): number => t * h * w;

/** Outputs that lie s apart along an axis have the same taps when transposed: as many phases. */
const phasesOf = ({ transposed, stride }: MatmulShape): Extent3 => (transposed ? stride : [1, 1, 1]);

const sizeOf = (shape: MatmulShape): Parameters<typeof chooseMatmul>[0] => ({
  positions: shape.batch * volume(shape.output),
  columns: Math.ceil(shape.output[2] / phasesOf(shape)[2]),
  inputs: shape.inputs,
  outputs: shape.outputs,
});

interface Shared {
  readonly program: WebGPUProgram;
  /** Values of the program's own uniforms. */
  readonly share: readonly number[];
}

function inRegisters(shape: MatmulShape, variant: MatmulVariant, rows: 4 | 8): Shared {
  const { batch, output, outputs } = shape;
  const phases = phasesOf(shape)[2];
  const tiles = Math.ceil(Math.ceil(output[2] / phases) / rows);
  const threads = batch * output[0] * output[1] * phases * tiles * Math.ceil(outputs / 4);
  const program = new RegisterMatmulProgram(variant, rows, [batch * volume(output), outputs], threads);
  return { program, share: [tiles, threads] };
}

function inTiles(shape: MatmulShape, variant: MatmulVariant, tile: ProductTile): Shared {
  const { batch, output, outputs } = shape;
  const phases = phasesOf(shape);
  const phase = ([0, 1, 2] as const).map((i) => Math.ceil(output[i] / phases[i])); // of the first, which is the longest
  const rows = phase.reduce((product, extent) => product * extent, batch);
  const tiles = Math.ceil(rows / rowsOfTile(tile));
  const workgroups = Math.ceil(outputs / (4 * tile.across)) * tiles * volume(phases);
  const program = new TilesMatmulProgram(variant, tile, [batch * volume(output), outputs], workgroups);
  return { program, share: [batch, tiles] };
}

/** A multiply-add is two; transposed, only the taps of an output's phase are multiplied. */
function convolutionFlops({
  batch,
  output,
  kernel,
  stride,
  inputs,
  outputs,
  transposed,
}: MatmulShape): number {
  const taps = volume(kernel) / (transposed ? volume(stride) : 1);
  return 2 * batch * volume(output) * taps * inputs * outputs;
}
