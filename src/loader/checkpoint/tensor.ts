/** A tensor in a checkpoint: a strided view of a storage, of which only the bytes it spans are read. */
import { type Dtype, decodeElements, type Elements, ITEM_BYTES } from './dtypes';
import { type ByteSource, CheckpointError } from './source';

/** A run of elements in a file; several tensors may share one. */
export interface TensorStorage {
  readonly dtype: Dtype;
  /** Number of elements. */
  readonly length: number;
  /** Byte offset in the source; found when first asked for. */
  locate(): Promise<number>;
}

export interface TensorLayout {
  readonly shape: readonly number[];
  /** In elements, one an axis; 0 repeats. */
  readonly stride: readonly number[];
  /** In elements, from the start of the storage. */
  readonly offset: number;
}

export class StoredTensor {
  readonly shape: readonly number[];
  readonly stride: readonly number[];
  readonly offset: number;

  constructor(
    readonly source: ByteSource,
    readonly storage: TensorStorage,
    { shape, stride, offset }: TensorLayout,
  ) {
    this.shape = shape;
    this.stride = stride;
    this.offset = offset;
  }

  get dtype(): Dtype {
    return this.storage.dtype;
  }

  /** Number of elements of the view. */
  get size(): number {
    return this.shape.reduce((product, extent) => product * extent, 1);
  }

  /** The elements, contiguous, the last axis fastest. Throws CheckpointError when the view leaves its storage. */
  async read(): Promise<Elements> {
    const { shape, stride, storage, offset } = this;
    if (this.size === 0) return decodeElements(this.dtype, new Uint8Array(0));
    const span = shape.reduce((last, extent, axis) => last + (extent - 1) * (stride[axis] ?? 0), 0) + 1;
    if (offset < 0 || stride.some((step) => step < 0) || offset + span > storage.length) {
      throw new CheckpointError(
        `a tensor [${shape}] with strides [${stride}] at ${offset} leaves its storage of ${storage.length} elements`,
      );
    }
    const bytes = ITEM_BYTES[this.dtype];
    const raw = await this.source.read((await storage.locate()) + offset * bytes, span * bytes);
    const elements = decodeElements(this.dtype, raw);
    return isContiguous(shape, stride) ? elements : gather(elements, shape, stride, this.size);
  }

  /** The elements as float32, whatever they are stored as. */
  async readFloat32(): Promise<Float32Array<ArrayBuffer>> {
    const elements = await this.read();
    if (elements instanceof Float32Array) return elements;
    return Float32Array.from(elements as ArrayLike<number | bigint>, Number);
  }
}

/** Strides of a contiguous tensor, the last axis fastest. */
export function contiguousStride(shape: readonly number[]): number[] {
  const stride: number[] = [];
  let step = 1;
  for (const extent of [...shape].reverse()) {
    stride.unshift(step);
    step *= Math.max(extent, 1);
  }
  return stride;
}

function isContiguous(shape: readonly number[], stride: readonly number[]): boolean {
  const expected = contiguousStride(shape);
  return shape.every((extent, axis) => extent === 1 || stride[axis] === expected[axis]);
}

function gather<A extends Elements>(
  from: A,
  shape: readonly number[],
  stride: readonly number[],
  size: number,
): A {
  const make = from.constructor as new (length: number) => A;
  const to = new make(size);
  const index = shape.map(() => 0);
  let at = 0;
  for (let i = 0; i < size; i++) {
    to[i] = from[at] as A[number];
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      index[axis] = (index[axis] ?? 0) + 1;
      at += stride[axis] ?? 0;
      if ((index[axis] ?? 0) < (shape[axis] ?? 0)) break;
      at -= (index[axis] ?? 0) * (stride[axis] ?? 0);
      index[axis] = 0;
    }
  }
  return to;
}
