/**
 * The wasm backend's elementwise passes (XNNPACK, SIMD) with a result of the caller's choosing, which may be an operand:
 * tf's own operations allocate a tensor each, and cost more than the pass itself where tensors are small. Only for
 * kernels made of many such passes.
 */
import type { BackendWasm } from '@tensorflow/tfjs-backend-wasm';
import * as tf from '@tensorflow/tfjs-core';

/** Operands are float32 of one size, or scalars as second operands; `into` has that size. */
export interface Elementwise {
  multiply(a: tf.TensorInfo, b: tf.TensorInfo, into: tf.TensorInfo): void;
  add(a: tf.TensorInfo, b: tf.TensorInfo, into: tf.TensorInfo): void;
  clip(x: tf.TensorInfo, low: number, high: number, into: tf.TensorInfo): void;
  sigmoid(x: tf.TensorInfo, into: tf.TensorInfo): void;
  /** A constant, which stays on the backend for good. */
  scalar(value: number): tf.TensorInfo;
}

const made = new WeakMap<BackendWasm, Elementwise>();

/** Of the current backend, which must be wasm. */
export function elementwise(): Elementwise {
  const backend = tf.backend() as BackendWasm;
  const known = made.get(backend);
  if (known) return known;
  const operations = makeElementwise(backend);
  made.set(backend, operations);
  return operations;
}

/** What Emscripten adds to a module, and tfjs's types leave out. */
interface EmscriptenModule {
  cwrap(
    name: string,
    returns: null,
    kinds: readonly ('number' | 'array')[],
  ): (...values: (number | Uint8Array)[]) => void;
}

/** tfjs's number of the type float32. */
const FLOAT32 = 0;

function makeElementwise(backend: BackendWasm): Elementwise {
  const id = ({ dataId }: tf.TensorInfo): number => backend.dataIdMap.get(dataId).id;
  const module = backend.wasm as unknown as EmscriptenModule;
  const wrap = (name: string, kinds: readonly ('number' | 'array')[]) => module.cwrap(name, null, kinds);
  /** As the kernels of tfjs-backend-wasm 4.22 (binary_kernel.ts and others) call the same functions. */
  const binary = (name: string) => {
    const run = wrap(name, ['number', 'array', 'number', 'number', 'array', 'number', 'number', 'number']);
    return (a: tf.TensorInfo, b: tf.TensorInfo, into: tf.TensorInfo): void => {
      const [left, right] = [flat(a), flat(b)];
      run(id(a), left.bytes, left.rank, id(b), right.bytes, right.rank, FLOAT32, id(into));
    };
  };
  const clip = wrap('ClipByValue', ['number', 'number', 'number', 'number']);
  const sigmoid = wrap('Sigmoid', ['number', 'number']);
  const scalars = new Map<number, tf.TensorInfo>();
  return {
    multiply: binary('Multiply'),
    add: binary('Add'),
    clip: (x, low, high, into) => clip(id(x), low, high, id(into)),
    sigmoid: (x, into) => sigmoid(id(x), id(into)),
    scalar: (value) => {
      const known = scalars.get(value);
      if (known) return known;
      const scalar = backend.makeOutput([], 'float32');
      backend.typedArrayFromHeap(scalar)[0] = value;
      scalars.set(value, scalar);
      return scalar;
    },
  };
}

/** A shape as the wasm functions want it: one axis, or none for a scalar. */
function flat({ shape }: tf.TensorInfo): { readonly bytes: Uint8Array; readonly rank: number } {
  const extents = shape.length === 0 ? [] : [tf.util.sizeFromShape([...shape])];
  return { bytes: new Uint8Array(new Int32Array(extents).buffer), rank: extents.length };
}
