/** Rows written into an existing buffer on WebGPU: the target is bound as the program's output. */
import type * as tf from '@tensorflow/tfjs-core';
import { int, writeOnGpu } from '../gpu';
import { WriteRowsProgram } from './program';

export function writeRowsOnWebGpu(target: tf.Tensor3D, rows: tf.Tensor3D, first: number): void {
  const uniforms = [int(rows.size), int(first * target.shape[2])];
  writeOnGpu(new WriteRowsProgram(rows.size), [rows], target, uniforms);
}
