/** Runs implicitMatmul/program.ts: works out extents, tiles and threads. WebGPU only; the ops' index files choose it. */
import type * as tf from '@tensorflow/tfjs-core';
import type { Extent3 } from '../../config/model';
import type { Padding } from '../conv3d/padding';
import { int, runOnGpu } from '../gpu';
import { ImplicitMatmulProgram } from './program';

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
  /** Added last; as large as the result. */
  readonly residual?: tf.Tensor | undefined;
}

/** The result with the shape `resultShape`; B·T'·H'·W'·O elements. */
export function implicitMatmul<T extends tf.Tensor>(
  shape: MatmulShape,
  { x, weight, bias, residual }: MatmulOperands,
  resultShape: readonly number[],
): T {
  const { batch, input, output, kernel, stride, paddings, inputs, outputs, transposed } = shape;
  // A phase of W is every stride-th column when transposed, and all of them otherwise.
  const phases = transposed ? stride[2] : 1;
  const columns = Math.ceil(output[2] / phases);
  const rows = columns >= 8 ? 8 : 4;
  const tiles = Math.ceil(columns / rows);
  const threads = batch * output[0] * output[1] * phases * tiles * Math.ceil(outputs / 4);
  const program = new ImplicitMatmulProgram(
    {
      transposed,
      inputsByFour: inputs % 4 === 0,
      outputsByFour: outputs % 4 === 0,
      rows,
      bias: bias !== undefined,
      residual: residual !== undefined,
    },
    [batch * output[0] * output[1] * output[2], outputs],
    threads,
  );
  const axes = ([0, 1, 2] as const).flatMap((i) =>
    [input[i], output[i], kernel[i], stride[i], paddings[i][0]].map(int),
  );
  return runOnGpu<T>(
    program,
    [x, weight, ...(bias ? [bias] : []), ...(residual ? [residual] : [])],
    resultShape,
    [...axes, ...[inputs, outputs, tiles, threads].map(int)],
    convolutionFlops(shape),
  );
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
  const volume = ([t, h, w]: Extent3): number => t * h * w;
  const taps = volume(kernel) / (transposed ? volume(stride) : 1);
  return 2 * batch * volume(output) * taps * inputs * outputs;
}
