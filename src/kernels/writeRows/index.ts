/**
 * Rows written into a tensor that is already there, for key/value caches: the only operation of the engine that changes
 * a tensor. Whoever shares the tensor's data (a reshape, a clone) sees the change, too.
 */
import type { MathBackendCPU } from '@tensorflow/tfjs-backend-cpu';
import type { BackendWasm } from '@tensorflow/tfjs-backend-wasm';
import * as tf from '@tensorflow/tfjs-core';
import { writeRowsOnWebGpu } from './webgpu';

/** target [1, M, C], rows [1, n, C] -> nothing; target[0, first + i] becomes rows[0, i]. Throws where they do not fit. */
export function writeRows(target: tf.Tensor3D, rows: tf.Tensor3D, first: number): void {
  const [, capacity, width] = target.shape;
  const [, count] = rows.shape;
  if (rows.shape[2] !== width || target.shape[0] !== 1 || rows.shape[0] !== 1) {
    throw new RangeError(
      `writeRows: rows [${rows.shape.join(', ')}] for a target [${target.shape.join(', ')}]; both are [1, rows, C].`,
    );
  }
  if (!Number.isInteger(first) || first < 0 || first + count > capacity) {
    throw new RangeError(
      `writeRows: rows ${first} to ${first + count} are outside the target's ${capacity} rows; make it larger.`,
    );
  }
  if (count === 0) return;
  const backend = tf.getBackend();
  if (backend === 'webgpu') writeRowsOnWebGpu(target, rows, first);
  else if (backend === 'wasm') writeRowsOnWasm(target, rows, first);
  else writeRowsOnCpu(target, rows, first);
}

function writeRowsOnWasm(target: tf.Tensor3D, rows: tf.Tensor3D, first: number): void {
  const backend = tf.backend() as BackendWasm;
  // Tensors of another backend move here when they are looked up, and that may move the heap: so it comes first.
  for (const { dataId } of [target, rows]) backend.dataIdMap.get(dataId);
  backend.typedArrayFromHeap(target).set(backend.typedArrayFromHeap(rows), first * target.shape[2]);
}

function writeRowsOnCpu(target: tf.Tensor3D, rows: tf.Tensor3D, first: number): void {
  const backend = tf.backend() as MathBackendCPU;
  const values = (tensor: tf.Tensor): Float32Array =>
    backend.data.get(tensor.dataId).values as unknown as Float32Array;
  values(target).set(values(rows), first * target.shape[2]);
}
