/**
 * Weights on the host, as plain arrays by name, so that every contender can be given the same ones: those of
 * weights/sky-64, or random ones of any configuration.
 */
import * as tf from '@tensorflow/tfjs-core';
import type { ModelConfig } from '../src/config/model';
import { type Manifest, parseManifest, StoredWeights } from '../src/loader';
import { dequantize } from '../src/loader/dequantize';
import { type KernelExtents, listWeights, randomWeight } from '../src/model/initialization';
import { float32Reader, type WeightReader } from '../src/model/parameters';

/** A dense float32 array; the last axis is contiguous. */
export interface HostTensor {
  readonly shape: readonly number[];
  readonly data: Float32Array<ArrayBuffer>;
}

export interface BenchModel {
  readonly name: string;
  /** Of the stored model that this one is, or is made of. */
  readonly manifest?: Manifest;
  readonly config: ModelConfig;
  /** All weights that `host` knows. */
  readonly names: readonly string[];
  /** A weight's values, dequantized. Throws on a name that the model does not have. */
  readonly host: (name: string) => HostTensor;
  /** What the engine reads from: packed where the weights are stored packed. A new one for each reading. */
  readonly reader: () => WeightReader;
}

/** Reads a file of weights/sky-64/. */
export type ReadFile = (file: string) => Promise<ArrayBuffer>;

export async function storedModel(readFile: ReadFile): Promise<BenchModel> {
  const manifest = await parseManifest(new TextDecoder().decode(await readFile('manifest.json')), 'sky-64');
  const shards = await Promise.all(manifest.shards.map(({ file }) => readFile(file)));
  const entries = new Map(manifest.tensors.map((entry) => [entry.name, entry]));
  const shard = (index: number): ArrayBuffer => {
    const bytes = shards[index];
    if (!bytes) throw new RangeError(`storedModel: ${manifest.name} has no shard ${index}.`);
    return bytes;
  };
  return {
    name: manifest.name,
    manifest,
    names: manifest.tensors.map(({ name }) => name),
    config: manifest.model,
    host: (name) => {
      const entry = entries.get(name);
      if (!entry) throw new Error(`storedModel: ${manifest.name} has no weight ${name}.`);
      return { shape: entry.shape, data: dequantize(entry, shard) };
    },
    reader: () => new StoredWeights(manifest, [...shards]),
  };
}

export function randomModel(name: string, config: ModelConfig, kernels: KernelExtents = {}): BenchModel {
  const shapes = new Map(listWeights(config, kernels).map((weight) => [weight.name, weight]));
  const host = (weight: string): HostTensor => {
    const shape = shapes.get(weight);
    if (!shape) throw new Error(`randomModel: ${name} has no weight ${weight}.`);
    return { shape: shape.shape, data: randomWeight(shape, 1) };
  };
  return {
    name,
    config,
    names: [...shapes.keys()],
    host,
    reader: () => float32Reader((weight) => uploaded(host(weight))),
  };
}

/** On the current backend, in float32. */
export function uploaded({ shape, data }: HostTensor): tf.Tensor {
  return tf.tensor(data, [...shape], 'float32');
}
