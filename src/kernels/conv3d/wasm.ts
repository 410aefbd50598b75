/**
 * 3D convolution on the wasm backend, whose own conv3d is naive (50 times slower): frames that one output frame reads
 * are stacked along the channels, [T', H + p, W + p, kt·I], and one 2D convolution (XNNPACK) over all frames follows.
 * Padding and stacking are one pass, and the sum over time happens inside the product.
 */
import * as tf from '@tensorflow/tfjs-core';
import type { Extent3 } from '../../config/model';
import { runOnHeap } from '../heap';
import { convolvedLength, type Padding, replicateIndices, samePadding3 } from './padding';

/** Which source frames, rows and columns a packed clip is made of. */
export interface PackPlan {
  /** For each packed frame, the source frames whose channels are put side by side; kt of them each. */
  readonly frames: readonly Int32Array[];
  readonly rows: Int32Array;
  readonly columns: Int32Array;
}

/** x [B, T, H, W, I] -> [B·frames, rows, columns, kt·I]. A plan that changes nothing costs nothing. */
export function packFrames(x: tf.Tensor5D, plan: PackPlan): tf.Tensor4D {
  const [batch, frames, height, width, channels] = x.shape;
  const taps = plan.frames[0]?.length ?? 0;
  const rowCount = plan.rows.length;
  const columnCount = plan.columns.length;
  const shape = [batch * plan.frames.length, rowCount, columnCount, taps * channels] as const;
  if (
    taps === 1 &&
    isRange(plan.frames, frames) &&
    isRange(plan.rows, height) &&
    isRange(plan.columns, width)
  ) {
    return tf.reshape(x, [...shape]);
  }
  const runs = columnRuns(plan.columns, taps === 1);
  return runOnHeap([x], shape, (heap, output, input) => {
    const stacked = taps * channels;
    let target = output;
    for (let b = 0; b < batch; b++) {
      for (const sources of plan.frames) {
        for (let row = 0; row < rowCount; row++, target += columnCount * stacked) {
          for (let tap = 0; tap < taps; tap++) {
            const frame = b * frames + (sources[tap] ?? 0);
            const source = input + (frame * height + (plan.rows[row] ?? 0)) * width * channels;
            copyRow(heap, target + tap * channels, source, runs, stacked, channels);
          }
        }
      }
    }
  });
}

/** [packed column, source column, length] triples. */
type Runs = readonly (readonly [to: number, from: number, length: number])[];

function copyRow(
  heap: Float32Array,
  to: number,
  from: number,
  runs: Runs,
  stride: number,
  channels: number,
): void {
  for (const [column, source, length] of runs) {
    let target = to + column * stride;
    let start = from + source * channels;
    if (length * channels >= 16) {
      heap.copyWithin(target, start, start + length * channels);
    } else {
      for (const end = start + channels; start < end; ) heap[target++] = heap[start++] ?? 0;
    }
  }
}

/** Consecutive columns lie side by side on both sides only when nothing is stacked between them. */
function columnRuns(columns: Int32Array, join: boolean): Runs {
  const runs: [number, number, number][] = [];
  columns.forEach((source, column) => {
    const last = runs[runs.length - 1];
    if (join && last && source === last[1] + last[2]) last[2]++;
    else runs.push([column, source, 1]);
  });
  return runs;
}

function isRange(indices: Int32Array | readonly Int32Array[], extent: number): boolean {
  if (indices.length !== extent) return false;
  return indices.every(
    (index: number | Int32Array, i: number) => (typeof index === 'number' ? index : index[0]) === i,
  );
}

/** weight [kt, kh, kw, I, O] -> [kh, kw, kt·I, O]: the order in which `packFrames` stacks. */
export function stackKernel(weight: tf.Tensor5D): tf.Tensor4D {
  const [kt, kh, kw, inputs, outputs] = weight.shape;
  return tf.tidy(() => tf.reshape(tf.transpose(weight, [1, 2, 0, 3, 4]), [kh, kw, kt * inputs, outputs]));
}

/** x [B, T, H, W, I], stacked weight [kh, kw, kt·I, O], bias [O] -> [B, T', H', W', O]. */
export function conv3dOnWasm(
  x: tf.Tensor5D,
  stacked: tf.Tensor4D,
  bias: tf.Tensor1D,
  kernel: Extent3,
  stride: Extent3,
  timePadding?: Padding,
): tf.Tensor5D {
  return tf.tidy(() => {
    const [batch, frames, height, width] = x.shape;
    const [time, rows, columns] = samePadding3(kernel, stride, timePadding);
    const paddedFrames = replicateIndices(frames, time);
    const count = convolvedLength(paddedFrames.length, kernel[0], stride[0]);
    const packed = packFrames(x, {
      frames: Array.from({ length: count }, (_, t) =>
        paddedFrames.slice(t * stride[0], t * stride[0] + kernel[0]),
      ),
      rows: replicateIndices(height, rows),
      columns: replicateIndices(width, columns),
    });
    const y = tf.fused.conv2d({
      x: packed,
      filter: stacked,
      strides: [stride[1], stride[2]],
      pad: 'valid',
      bias,
    });
    return tf.reshape(y, [batch, count, y.shape[1], y.shape[2], y.shape[3]]);
  });
}
