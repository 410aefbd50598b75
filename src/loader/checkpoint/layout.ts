/** Plain arrays in our layout: channels last, float32. Transposition and the folding of batch norm. */
import type { StoredTensor } from './tensor';

export interface PlainTensor {
  readonly shape: readonly number[];
  readonly values: Float32Array<ArrayBuffer>;
}

export async function plain(tensor: StoredTensor): Promise<PlainTensor> {
  return { shape: tensor.shape, values: await tensor.readFloat32() };
}

/** Another shape for the same elements. */
export function reshape({ values }: PlainTensor, shape: readonly number[]): PlainTensor {
  return { shape, values };
}

/** Rows and columns that are transposed together, so that reads and writes both stay in the cache. */
const TILE = 32;

/** [rows, columns] → [columns, rows]. */
function transposeMatrix(values: Float32Array, rows: number, columns: number): Float32Array<ArrayBuffer> {
  const out = new Float32Array(values.length);
  for (let top = 0; top < rows; top += TILE) {
    const bottom = Math.min(rows, top + TILE);
    for (let left = 0; left < columns; left += TILE) {
      const right = Math.min(columns, left + TILE);
      for (let column = left; column < right; column++) {
        for (let row = top; row < bottom; row++) {
          out[column * rows + row] = values[row * columns + column] ?? 0;
        }
      }
    }
  }
  return out;
}

/** Axis i of the result is axis order[i] of the tensor. */
export function transpose({ shape, values }: PlainTensor, order: readonly number[]): PlainTensor {
  const [rows = 0, columns = 0] = shape;
  if (order.length === 2 && order[0] === 1) {
    return { shape: [columns, rows], values: transposeMatrix(values, rows, columns) };
  }
  const steps = shape.map((_, axis) =>
    shape.slice(axis + 1).reduce((product, extent) => product * extent, 1),
  );
  const extents = order.map((axis) => shape[axis] ?? 0);
  const strides = order.map((axis) => steps[axis] ?? 0);
  const out = new Float32Array(values.length);
  const index = extents.map(() => 0);
  let from = 0;
  for (let i = 0; i < out.length; i++) {
    out[i] = values[from] ?? 0;
    for (let axis = extents.length - 1; axis >= 0; axis--) {
      const next = (index[axis] ?? 0) + 1;
      from += strides[axis] ?? 0;
      if (next < (extents[axis] ?? 0)) {
        index[axis] = next;
        break;
      }
      from -= next * (strides[axis] ?? 0);
      index[axis] = 0;
    }
  }
  return { shape: extents, values: out };
}

/** nn.Linear's [out, in] → [in, out]. */
export const linearWeight = (tensor: PlainTensor): PlainTensor => transpose(tensor, [1, 0]);
/** nn.Conv3d's [out, in, kt, kh, kw] → [kt, kh, kw, in, out]. */
export const convWeight = (tensor: PlainTensor): PlainTensor => transpose(tensor, [2, 3, 4, 1, 0]);
/** nn.ConvTranspose3d's [in, out, kt, kh, kw] → [kt, kh, kw, in, out], not flipped. */
export const upConvWeight = (tensor: PlainTensor): PlainTensor => transpose(tensor, [2, 3, 4, 0, 1]);

/** The eps of nn.BatchNorm3d and nn.SyncBatchNorm. */
const BATCH_NORM_EPS = 1e-5;

export interface BatchNorm {
  readonly weight: PlainTensor;
  readonly bias: PlainTensor;
  readonly mean: PlainTensor;
  readonly variance: PlainTensor;
}

/** (x - mean) / sqrt(variance + eps) * weight + bias = x * scale + bias': both, computed in float64. */
export function foldBatchNorm({ weight, bias, mean, variance }: BatchNorm): {
  scale: PlainTensor;
  bias: PlainTensor;
} {
  const at = (tensor: PlainTensor, i: number): number => tensor.values[i] ?? 0;
  const factor = (i: number): number => at(weight, i) / Math.sqrt(at(variance, i) + BATCH_NORM_EPS);
  return {
    scale: { shape: weight.shape, values: weight.values.map((_, i) => factor(i)) },
    bias: { shape: bias.shape, values: bias.values.map((value, i) => value - at(mean, i) * factor(i)) },
  };
}
