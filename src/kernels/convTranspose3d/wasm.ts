/**
 * Transposed 3D convolution on the wasm backend (whose own gives wrong values): one convolution a phase (phases.ts),
 * each packed and multiplied as in conv3d/wasm.ts, then interleaved in one pass.
 */
import * as tf from '@tensorflow/tfjs-core';
import type { Extent3 } from '../../config/model';
import { type Padding, replicateIndices, samePadding3, transposedLength } from '../conv3d/padding';
import { packFrames, stackKernel } from '../conv3d/wasm';
import { runOnHeap } from '../heap';
import { type Phase, phasesOf } from './phases';

/** One phase triple: its offsets in the output and what it convolves. */
interface PhaseTriple {
  readonly offset: Extent3;
  readonly phases: readonly [Phase, Phase, Phase];
}

/** All combinations, in the order of the prepared weights. */
function triples(axes: readonly [Phase[], Phase[], Phase[]]): PhaseTriple[] {
  return axes[0].flatMap((t, i) =>
    axes[1].flatMap((h, j) =>
      axes[2].map((w, k) => ({ offset: [i, j, k], phases: [t, h, w] }) as PhaseTriple),
    ),
  );
}

/** Any input long enough to have every phase: taps do not depend on the length. */
const LONG = 64;

/** weight [kt, kh, kw, I, O] -> one stacked kernel [mh, mw, mt·I, O] a phase triple. */
export function phaseKernels(weight: tf.Tensor5D, stride: Extent3): tf.Tensor4D[] {
  const [kt, kh, kw] = weight.shape;
  const axes: [Phase[], Phase[], Phase[]] = [
    phasesOf(LONG, kt, stride[0]),
    phasesOf(LONG, kh, stride[1]),
    phasesOf(LONG, kw, stride[2]),
  ];
  return triples(axes).map(({ phases }) =>
    tf.tidy(() => {
      const taken = phases.reduce<tf.Tensor5D>(
        (kernel, { taps }, axis) => tf.gather(kernel, tf.tensor1d(taps, 'int32'), axis),
        weight,
      );
      return stackKernel(taken);
    }),
  );
}

/** x [B, T, H, W, I], kernels of `phaseKernels`, bias [O] -> [B, T', H', W', O]. */
export function convTranspose3dOnWasm(
  x: tf.Tensor5D,
  kernels: readonly tf.Tensor4D[],
  bias: tf.Tensor1D,
  kernel: Extent3,
  stride: Extent3,
  timePadding?: Padding,
): tf.Tensor5D {
  return tf.tidy(() => {
    const [batch, frames, height, width] = x.shape;
    const paddings = samePadding3(kernel, stride, timePadding);
    const [time, rows, columns] = [frames, height, width].map((extent, i) =>
      replicateIndices(extent, paddings[i] ?? [0, 0]),
    ) as [Int32Array, Int32Array, Int32Array];
    const padded: Extent3 = [time.length, rows.length, columns.length];
    const phases = ([0, 1, 2] as const).map((i) => phasesOf(padded[i], kernel[i], stride[i]));
    const parts = triples(phases as [Phase[], Phase[], Phase[]]);
    const outputOf = ({ phases: [t, h, w] }: PhaseTriple, i: number): tf.Tensor4D => {
      const packed = packFrames(x, {
        frames: Array.from({ length: t.count }, (_, u) =>
          time.slice(t.start + u, t.start + u + t.taps.length),
        ),
        rows: rows.slice(h.start, h.start + h.count + h.taps.length - 1),
        columns: columns.slice(w.start, w.start + w.count + w.taps.length - 1),
      });
      const filter = kernels[i];
      if (!filter) throw new Error(`convTranspose3d: no kernel was prepared for phase ${i}.`);
      return tf.fused.conv2d({ x: packed, filter, strides: 1, pad: 'valid', bias }); // [B·count_t, count_h, count_w, O]
    };
    // Of a phase only its output stays.
    const outputs = parts.map((part, i) => tf.tidy(() => outputOf(part, i)));
    const extents = ([0, 1, 2] as const).map((i) => transposedLength(padded[i], kernel[i], stride[i]));
    const shape = [batch, ...extents, bias.shape[0]] as [number, number, number, number, number];
    const [only] = outputs;
    if (outputs.length === 1 && only) return tf.reshape(only, shape);
    return interleave(outputs, parts, stride, shape);
  });
}

/** Puts the phases' outputs back in order: [B, count_t, count_h, count_w, O] each -> `shape`. */
function interleave(
  outputs: readonly tf.Tensor4D[],
  parts: readonly PhaseTriple[],
  stride: Extent3,
  shape: readonly [number, number, number, number, number],
): tf.Tensor5D {
  const [batch, frames, height, width, channels] = shape;
  return runOnHeap(outputs, shape, (heap, output, ...inputs) => {
    parts.forEach(({ offset, phases: [t, h, w] }, i) => {
      let source = inputs[i] ?? 0;
      for (let b = 0; b < batch; b++) {
        for (let u = 0; u < t.count; u++) {
          for (let v = 0; v < h.count; v++) {
            const row = (b * frames + u * stride[0] + offset[0]) * height + v * stride[1] + offset[1];
            let target = output + (row * width + offset[2]) * channels;
            if (stride[2] === 1) {
              heap.copyWithin(target, source, source + w.count * channels);
              source += w.count * channels;
              continue;
            }
            const skip = (stride[2] - 1) * channels;
            for (let column = 0; column < w.count; column++, target += skip) {
              heap.copyWithin(target, source, source + channels);
              target += channels;
              source += channels;
            }
          }
        }
      }
    });
  });
}
