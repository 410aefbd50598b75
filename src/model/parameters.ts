/**
 * How a model gets its weights, and nothing about where they come from: loader and checkpoint reader
 * supply a `WeightReader`, tests and benches a random one (initialization.ts).
 */
import type * as tf from '@tensorflow/tfjs-core';
import type { Matrix } from '../kernels/matrix';

/**
 * Weights by name (names: ARCHITECTURE.md). `shape` is what the configuration demands; an extent of -1 is free (kernel
 * extents are properties of the weights, not of the configuration). A reader throws when the name is missing or an
 * extent differs. Its caller owns the tensors and may dispose them as soon as they have been rearranged for a kernel, so
 * a reader makes new ones each time.
 */
export interface WeightReader {
  /** float32 */
  tensor(name: string, shape: readonly number[]): tf.Tensor;
  /**
   * A linear layer's weight [I, O] or an embedding table [rows, C]: packed, where it is stored as integers and the current
   * backend's kernels read them so; else float32.
   */
  matrix(name: string, shape: readonly [rows: number, columns: number]): Matrix;
}

/** A reader of weights that are float32 in any case. */
export function float32Reader(tensor: WeightReader['tensor']): WeightReader {
  return { tensor, matrix: (name, shape) => tensor(name, shape) as tf.Tensor2D };
}

/** Sees intermediate activations. The tensor lives only during the call: clone or read it there. */
export type Observe = (name: string, value: tf.Tensor) => void;

/** A scale and a bias per channel, each [C]. */
export interface ScaleBias {
  readonly scale: tf.Tensor1D;
  readonly bias: tf.Tensor1D;
}

/** Reads `<name>.scale` and `<name>.bias`. */
export function readScaleBias(read: WeightReader, name: string, channels: number): ScaleBias {
  return {
    scale: read.tensor(`${name}.scale`, [channels]) as tf.Tensor1D,
    bias: read.tensor(`${name}.bias`, [channels]) as tf.Tensor1D,
  };
}
