/**
 * Models of any configuration with random weights, stored as an export stores them: matrices and kernels as int8 with
 * scales, the rest as float32. What a network costs does not depend on its weights' values.
 */
import type { ModelConfig } from '../src/config/model';
import { type Manifest, StoredWeights } from '../src/loader';
import { dequantize } from '../src/loader/dequantize';
import { sizeOf, type TensorEntry } from '../src/loader/manifest';
import { listWeights, randomWeight, type WeightShape } from '../src/model/initialization';
import type { BenchModel } from './weights';

const INT8_LARGEST = 127;

/** A preview saves the engine the decoding of every code. */
const PREVIEW_VALUES = 12;

export function storedRandomModel(name: string, config: ModelConfig): BenchModel {
  const preview: readonly WeightShape[] = [
    { name: 'preview.weight', shape: [config.tokenizer.codeWidth, PREVIEW_VALUES] },
    { name: 'preview.bias', shape: [PREVIEW_VALUES] },
  ];
  const weights = [...listWeights(config), ...preview];
  const stored = weights.map((weight, shard) => store(weight, shard));
  const shards = stored.map(({ buffer }) => buffer);
  const entries = new Map(stored.map(({ entry }) => [entry.name, entry]));
  const manifest: Manifest = {
    format: 'mebt-weights',
    version: 1,
    name,
    license: 'MIT',
    parameters: weights.reduce((sum, { shape }) => sum + sizeOf(shape), 0),
    model: config,
    tensors: stored.map(({ entry }) => entry),
    shards: shards.map(({ byteLength }, i) => ({ file: `${i}.bin`, bytes: byteLength, sha256: '' })),
    sha256: '',
  };
  return {
    name,
    manifest,
    config,
    names: weights.map((weight) => weight.name),
    host: (weight) => {
      const entry = entries.get(weight);
      if (!entry) throw new Error(`storedRandomModel: ${name} has no weight ${weight}.`);
      return { shape: entry.shape, data: dequantize(entry, (shard) => shards[shard] ?? new ArrayBuffer()) };
    },
    reader: () => new StoredWeights(manifest, [...shards]),
  };
}

function store(weight: WeightShape, shard: number): { entry: TensorEntry; buffer: ArrayBuffer } {
  const { name, shape } = weight;
  const at = { name, shape, shard, offset: 0 };
  if (shape.length < 2) return { entry: { ...at, dtype: 'float32' }, buffer: randomWeight(weight, 1).buffer };
  const size = sizeOf(shape);
  const columns = shape.at(-1) ?? 1;
  const start = 4 * Math.ceil(size / 4);
  const buffer = new ArrayBuffer(start + 4 * columns);
  fillWithBytes(new Int32Array(buffer, 0, start / 4), shard + 1);
  const largest = name.endsWith('.weight') ? Math.sqrt(3 / (size / columns)) : 1;
  new Float32Array(buffer, start).fill(largest / INT8_LARGEST);
  return { entry: { ...at, dtype: 'int8', scale: { shard, offset: start } }, buffer };
}

/** Four bytes at a time: a counter through the finaliser of MurmurHash3. */
function fillWithBytes(words: Int32Array, seed: number): void {
  let counter = Math.imul(seed, 0x27d4eb2f);
  for (let i = 0; i < words.length; i++) {
    counter = (counter + 0x9e3779b9) | 0;
    let x = counter;
    x = Math.imul(x ^ (x >>> 16), 0x85ebca6b);
    x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
    words[i] = x ^ (x >>> 16);
  }
}
