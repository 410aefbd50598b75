/** Rows from one tensor to another on WebGPU: what taking a piece of a stream and writing into one have in common. */
import * as tf from '@tensorflow/tfjs-core';
import { int, runOnGpu, type Uniforms, writeOnGpu } from '../gpu';
import { CopyRowsProgram } from './program';

/** x [B, N, ...] -> x[:, first … first + count]. */
export function sliceRowsOnWebGpu<T extends tf.Tensor>(x: T, first: number, count: number): T {
  const [batch = 0, rows = 0, ...inner] = x.shape;
  const shape = [batch, count, ...inner];
  const { program, uniforms } = copyOf(batch, tf.util.sizeFromShape(inner), count, [first, rows], [0, count]);
  return runOnGpu<T>(program, [x], shape, uniforms);
}

/** rows [B, n, C] into target [B, M, C] from row `first` on. */
export function writeRowsOnWebGpu(target: tf.Tensor3D, rows: tf.Tensor3D, first: number): void {
  const [batch, count, width] = rows.shape;
  const { program, uniforms } = copyOf(batch, width, count, [0, count], [first, target.shape[1]]);
  writeOnGpu(program, [rows], target, uniforms);
}

/** Of source and result: the first row, and how many rows a sample has. */
function copyOf(
  batch: number,
  width: number,
  count: number,
  [start, sourceRows]: readonly [number, number],
  [to, resultRows]: readonly [number, number],
): { program: CopyRowsProgram; uniforms: Uniforms } {
  const components = width % 4 === 0 ? 4 : 1;
  const row = width / components;
  const uniforms = [count, batch * count, start, to, sourceRows, resultRows].map((n) => int(n * row));
  return { program: new CopyRowsProgram(batch * count * row, components), uniforms };
}
