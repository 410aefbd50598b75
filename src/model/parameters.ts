/**
 * How a model gets its weights, and nothing about where they come from: loader and checkpoint reader
 * supply a `WeightReader`, tests and benches a random one (initialization.ts).
 */
import type * as tf from '@tensorflow/tfjs-core';

/**
 * Returns the float32 tensor of a name (names: ARCHITECTURE.md). `shape` is what the configuration demands;
 * an extent of -1 is free (kernel extents are properties of the weights, not of the configuration).
 * The reader throws when the name is missing or an extent differs. The caller of the reader owns the tensor
 * and may dispose it as soon as it has been rearranged for a kernel, so a reader makes a new one each time.
 */
export type WeightReader = (name: string, shape: readonly number[]) => tf.Tensor;

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
    scale: read(`${name}.scale`, [channels]) as tf.Tensor1D,
    bias: read(`${name}.bias`, [channels]) as tf.Tensor1D,
  };
}
