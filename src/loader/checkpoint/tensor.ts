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
    const { shape, stride, storage, offset, size } = this;
    const bytes = ITEM_BYTES[this.dtype];
    this.check();
    if (size === 0) return decodeElements(this.dtype, new Uint8Array(0));
    const span = spanOf(shape, stride);
    const start = await storage.locate();
    const raw = await this.source.read(start + offset * bytes, span * bytes);
    const elements = decodeElements(this.dtype, raw);
    return isContiguous(shape, stride) ? elements : gather(elements, shape, stride, size);
  }

  /** Throws CheckpointError unless layout and storage agree; nothing is read or allocated before this. */
  private check(): void {
    const { shape, stride, storage, offset, size } = this;
    const whole = (numbers: unknown): numbers is number[] =>
      Array.isArray(numbers) && numbers.every((n) => Number.isSafeInteger(n) && n >= 0);
    if (!whole(shape) || !whole(stride) || !whole([offset]) || shape.length !== stride.length) {
      throw new CheckpointError(
        `a tensor has the shape [${shape}], the strides [${stride}] and the offset ${offset}; whole numbers from 0 up, one stride an axis, are expected`,
      );
    }
    const span = size === 0 ? 0 : spanOf(shape, stride);
    if (!Number.isSafeInteger(size) || offset + span > storage.length) {
      throw new CheckpointError(
        `a tensor [${shape}] with strides [${stride}] at ${offset} leaves its storage of ${storage.length} elements`,
      );
    }
    // Strides of 0 repeat elements: a few bytes could ask for any amount of memory.
    if (size > Math.max(storage.length, LEAST_REPEATED)) {
      throw new CheckpointError(
        `a tensor [${shape}] with strides [${stride}] repeats its storage of ${storage.length} elements to ${size}`,
      );
    }
  }

  /** The elements as float32. Throws CheckpointError for whole numbers: weights are none. */
  async readFloat32(): Promise<Float32Array<ArrayBuffer>> {
    if (!/^b?float\d\d$/.test(this.dtype)) {
      throw new CheckpointError(`a tensor of weights has the type ${this.dtype}, not a floating point type`);
    }
    const elements = await this.read();
    return elements instanceof Float32Array
      ? elements
      : Float32Array.from(elements as Float64Array<ArrayBuffer>);
  }
}

/** Views that repeat elements may be this long, in elements, whatever their storage. */
const LEAST_REPEATED = 64;

/** Elements from the first to the last of a view. */
function spanOf(shape: readonly number[], stride: readonly number[]): number {
  return shape.reduce((last, extent, axis) => last + (extent - 1) * (stride[axis] ?? 0), 0) + 1;
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
