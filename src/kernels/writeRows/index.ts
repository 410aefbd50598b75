/**
 * Rows written into a tensor that is already there, for key/value caches and for results that are made piece by piece:
 * the only operation of the engine that changes a tensor. Whoever shares the tensor's data (a reshape, a clone) sees the
 * change, too.
 */
import type { MathBackendCPU } from '@tensorflow/tfjs-backend-cpu';
import type { BackendWasm } from '@tensorflow/tfjs-backend-wasm';
import * as tf from '@tensorflow/tfjs-core';
import { writeRowsOnWebGpu } from '../copyRows/webgpu';
import { unwrittenOnWebGpu } from '../gpu';
import { runOnHeap } from '../heap';

/** A tensor to write rows into; until then its values are anything. */
export function unwritten(shape: [number, number, number]): tf.Tensor3D {
  const backend = tf.getBackend();
  if (tf.util.sizeFromShape(shape) === 0) return tf.zeros(shape);
  if (backend === 'webgpu') return unwrittenOnWebGpu<tf.Tensor3D>(shape);
  return backend === 'wasm' ? runOnHeap<tf.Tensor3D>([], shape, () => {}) : tf.zeros(shape);
}

/** target [B, M, C], rows [B, n, C] -> nothing; target[b, first + i] becomes rows[b, i]. Throws where they do not fit. */
export function writeRows(target: tf.Tensor3D, rows: tf.Tensor3D, first: number): void {
  const [batch, capacity, width] = target.shape;
  const [, count] = rows.shape;
  if (rows.shape[0] !== batch || rows.shape[2] !== width) {
    throw new RangeError(
      `writeRows: rows [${rows.shape.join(', ')}] for a target [${target.shape.join(', ')}]; both are [B, rows, C].`,
    );
  }
  if (!Number.isInteger(first) || first < 0 || first + count > capacity) {
    throw new RangeError(
      `writeRows: rows ${first} to ${first + count} are outside the target's ${capacity} rows; make it larger.`,
    );
  }
  if (rows.size === 0) return;
  if (tf.getBackend() === 'webgpu') {
    writeRowsOnWebGpu(target, rows, first);
    return;
  }
  const [to, from] = valuesOf(target, rows);
  for (let b = 0; b < batch; b++) {
    const start = b * count * width;
    to.set(from.subarray(start, start + count * width), (b * capacity + first) * width);
  }
}

/** What the cpu and wasm backends hold of both. */
function valuesOf(target: tf.Tensor, rows: tf.Tensor): [Float32Array, Float32Array] {
  if (tf.getBackend() === 'wasm') {
    const backend = tf.backend() as BackendWasm;
    // Tensors of another backend move here when they are looked up, and that may move the heap: so it comes first.
    for (const { dataId } of [target, rows]) backend.dataIdMap.get(dataId);
    const values = (tensor: tf.Tensor) => backend.typedArrayFromHeap(tensor) as Float32Array;
    return [values(target), values(rows)];
  }
  const backend = tf.backend() as MathBackendCPU;
  const values = ({ dataId }: tf.Tensor) => backend.data.get(dataId).values as unknown as Float32Array;
  return [values(target), values(rows)];
}
