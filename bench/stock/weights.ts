/** Weights of a stock network: all of a part at once, in float32, on the current backend. */
import type * as tf from '@tensorflow/tfjs-core';
import { type BenchModel, uploaded } from '../weights';

export interface StockWeights {
  readonly weights: tf.Tensor[];
  /** Throws on a name that was not uploaded. */
  readonly weight: <T extends tf.Tensor>(name: string) => T;
}

/** Every weight whose name begins with `prefix`, by the rest of its name. The encoder is left out. */
export function uploadAll({ names, host }: BenchModel, prefix: string): StockWeights {
  const wanted = names.filter((name) => name.startsWith(prefix) && !name.startsWith('tokenizer.encoder'));
  const tensors = new Map(wanted.map((name) => [name.slice(prefix.length), uploaded(host(name))]));
  return {
    weights: [...tensors.values()],
    weight: <T extends tf.Tensor>(name: string): T => {
      const tensor = tensors.get(name);
      if (!tensor) throw new Error(`uploadAll: there is no weight ${prefix}${name}.`);
      return tensor as T;
    },
  };
}
