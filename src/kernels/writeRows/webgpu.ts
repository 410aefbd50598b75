/** Rows written into an existing buffer on WebGPU: the target is bound as the program's output. */
import type { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu';
import * as tf from '@tensorflow/tfjs-core';
import { int } from '../gpu';
import { WriteRowsProgram } from './program';

export function writeRowsOnWebGpu(target: tf.Tensor3D, rows: tf.Tensor3D, first: number): void {
  const backend = tf.backend() as WebGPUBackend;
  const uniforms = [int(rows.size), int(first * target.shape[2])];
  backend.runWebGPUProgram(new WriteRowsProgram(rows.size), [rows], 'float32', uniforms, target);
}
