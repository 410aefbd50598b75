/**
 * Official checkpoints as models on the current tfjs backend. Those with a transformer go the whole way that a
 * visitor's file goes: reader, conversion (to float32), manifest and shards, dequantization. A VQGAN alone is no model
 * of ours; its weights come from the reader.
 */
import * as tf from '@tensorflow/tfjs-core';
import type { Extent3, TokenizerConfig, TransformerConfig } from '../config/model';
import { parseManifest } from '../loader';
import { type PlainTensor, readOfficialModel } from '../loader/checkpoint';
import type { ConversionOptions } from '../loader/convert';
import { dequantize } from '../loader/dequantize';
import { convertInMemory } from '../loader/testing/memorySink';
import { lookUp } from '../model/codebook';
import { type DecoderParameters, readDecoder, runDecoder } from '../model/decoder';
import { type EncoderParameters, readEncoder } from '../model/encoder';
import { float32Reader, type Observe, type WeightReader } from '../model/parameters';
import {
  readTransformer,
  runTransformer,
  type TokenSets,
  type TransformerParameters,
} from '../model/transformer';
import type { Fixture, GoldenFolder } from './folder';
import { filesOfModel } from './pairs';

/** A checkpoint whose weights are in memory as plain arrays: every backend is given its own tensors. */
export class LoadedCheckpoint {
  private constructor(
    readonly model: { readonly transformer?: TransformerConfig; readonly tokenizer?: TokenizerConfig },
    private readonly weights: ReadonlyMap<string, PlainTensor>,
  ) {}

  static async open(folder: GoldenFolder, file: string): Promise<LoadedCheckpoint> {
    const model = readOfficialModel(await folder.checkpoint(file));
    if (model.transformer) return LoadedCheckpoint.convert(folder, file, { quantization: 'float32' });
    const weights = new Map<string, PlainTensor>();
    for (const name of model.names) weights.set(name, await model.load(name));
    return new LoadedCheckpoint(model, weights);
  }

  static async convert(
    folder: GoldenFolder,
    file: string,
    options: ConversionOptions,
  ): Promise<LoadedCheckpoint> {
    const { sink } = await convertInMemory(await filesOfModel(folder, file), options);
    const { model, tensors } = await parseManifest(sink.text ?? '', file);
    const shard = (index: number): ArrayBuffer => sink.shards[index] ?? new ArrayBuffer(0);
    const weights = tensors.map((entry): [string, PlainTensor] => {
      return [entry.name, { shape: entry.shape, values: dequantize(entry, shard) }];
    });
    return new LoadedCheckpoint(model, new Map(weights));
  }

  readonly read: WeightReader = float32Reader((name, shape) => {
    const weight = this.weights.get(name);
    if (!weight) throw new Error(`The checkpoint has no tensor ${name}.`);
    const fits =
      weight.shape.length === shape.length && shape.every((n, i) => n === -1 || n === weight.shape[i]);
    if (!fits) throw new Error(`${name} has shape [${weight.shape}], but [${shape}] is asked for.`);
    return tf.tensor(weight.values, [...weight.shape]);
  });

  transformer(): TransformerParameters {
    const config = this.model.transformer;
    if (!config) throw new Error('The checkpoint has no transformer.');
    return tf.tidy(
      () => readTransformer(config, this.read) as unknown as tf.TensorContainerObject,
    ) as unknown as TransformerParameters;
  }

  decoder(): DecoderParameters {
    const config = this.model.tokenizer;
    if (!config) throw new Error('The checkpoint has no tokenizer.');
    return tf.tidy(
      () => readDecoder(config, this.read) as unknown as tf.TensorContainerObject,
    ) as unknown as DecoderParameters;
  }

  encoder(): EncoderParameters {
    const config = this.model.tokenizer;
    if (!config) throw new Error('The checkpoint has no tokenizer.');
    return tf.tidy(
      () => readEncoder(config, this.read) as unknown as tf.TensorContainerObject,
    ) as unknown as EncoderParameters;
  }
}

/** A tensor's shape and values, read asynchronously as WebGPU demands; the tensor is disposed. */
export async function readBack(tensor: tf.Tensor): Promise<Fixture> {
  try {
    return { shape: tensor.shape, values: await tensor.data() };
  } finally {
    tensor.dispose();
  }
}

/**
 * Collects what an `observe` callback sees. Tensors live only during the call, and blocks work in place: values are
 * copied. What comes stream by stream under one name, as a dense block's queries do, is joined along the rows.
 */
export class Observer {
  readonly #kept = new Map<string, tf.Tensor>();

  readonly observe: Observe = (name, value) => {
    const before = this.#kept.get(name);
    this.#kept.set(name, tf.keep(before ? tf.concat([before, value], 1) : tf.add(value, 0)));
    before?.dispose();
  };

  async values(): Promise<Map<string, Fixture>> {
    const values = new Map<string, Fixture>();
    for (const [name, tensor] of this.#kept) values.set(name, await readBack(tensor));
    return values;
  }
}

/** Logits [B, NT, V]. */
export function logitsOf(
  transformer: TransformerParameters,
  sets: TokenSets,
  observe?: Observe,
): Promise<Fixture> {
  return readBack(runTransformer(transformer, sets, observe));
}

/** Codes [B, T', H', W'] → frames [B, T, H, W, 3]. */
export async function decodeCodes(
  decoder: DecoderParameters,
  codes: Fixture,
  observe?: Observe,
): Promise<Fixture> {
  const [batch = 1, t = 1, h = 1, w = 1] = codes.shape;
  const grid: Extent3 = [t, h, w];
  const latents = lookUp(decoder.codebook, Int32Array.from(codes.values), grid, batch);
  observe?.('lookup', latents);
  try {
    return await readBack(runDecoder(decoder, latents, observe));
  } finally {
    latents.dispose();
  }
}
