/** Group normalisation on WebGPU: the three programs of programs.ts one after the other. */
import type * as tf from '@tensorflow/tfjs-core';
import { float, int, runOnGpu } from '../gpu';
import { GroupProgram, NormaliseProgram, STRETCH, StretchProgram } from './programs';

/** x [B, T, H, W, C], scale and bias [C] -> the shape of x. */
export function groupNormOnWebGpu(
  x: tf.Tensor5D,
  scale: tf.Tensor1D,
  bias: tf.Tensor1D,
  groups: number,
  epsilon: number,
  activation?: 'silu',
): tf.Tensor5D {
  const [batch, frames, height, width, channels] = x.shape;
  const positions = frames * height * width;
  const stretches = Math.ceil(positions / STRETCH);
  const size = channels / groups;
  const last = positions - (stretches - 1) * STRETCH;

  const first = new StretchProgram(batch, stretches, channels);
  const threads = batch * stretches * channels;
  const part = runOnGpu(first, [x], first.outputShape, [positions, channels, stretches, threads].map(int));
  const second = new GroupProgram(batch, groups);
  const moments = runOnGpu(second, [part], second.outputShape, [
    ...[positions, channels, stretches, size, last, batch * groups].map(int),
    float(epsilon),
  ]);
  part.dispose();
  const third = new NormaliseProgram(x.size, activation === 'silu');
  const uniforms = [positions, channels, size, x.size].map(int);
  const y = runOnGpu<tf.Tensor5D>(third, [x, moments, scale, bias], x.shape, uniforms);
  moments.dispose();
  return y;
}
