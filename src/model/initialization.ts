/**
 * Random weights for any configuration, for tests, benches and tiny models to try the page with. Not for training:
 * that is the recipe's. The same seed gives the same weights on every machine.
 */
import * as tf from '@tensorflow/tfjs-core';
import type { AutoregressiveConfig, Extent3, ModelConfig } from '../config/model';
import { traitRows } from '../config/scene';
import { float32Reader, type WeightReader } from './parameters';

export interface WeightShape {
  readonly name: string;
  readonly shape: readonly number[];
}

/** Kernel extents, which a configuration leaves open. Stages are counted from 0 in the order they run. */
export interface KernelExtents {
  /** Decoder stage's up-convolution; 4 along strided axes and 3 along the others by default. */
  readonly up?: (stage: number) => Extent3;
  /** Encoder stage's down-convolution; the same default. */
  readonly down?: (stage: number) => Extent3;
  /** Residual blocks of a decoder stage; 3×3×3 by default. */
  readonly decoderBlocks?: (stage: number) => Extent3;
  /** Residual blocks of an encoder stage; 3×3×3 by default. */
  readonly encoderBlocks?: (stage: number) => Extent3;
  /** Decoder's last and encoder's first convolution; 3×3×3 by default. */
  readonly ends?: Extent3;
}

const CUBE: Extent3 = [3, 3, 3];

/** Names and shapes of all weights that `readTransformer`, `readDecoder` and `readEncoder` ask for. */
export function listWeights(config: ModelConfig, kernels: KernelExtents = {}): WeightShape[] {
  return [...transformerWeights(config), ...tokenizerWeights(config, kernels)];
}

function transformerWeights({ transformer }: ModelConfig): WeightShape[] {
  const { width, latentTokens, modes, traits = [] } = transformer;
  return [
    ...sharedWeights({ ...transformer, blocks: modes.length }),
    { name: 'transformer.maskEmbedding', shape: [width] },
    { name: 'transformer.latentTokens', shape: [latentTokens, width] },
    ...(traits.length > 0 ? [{ name: 'transformer.traitEmbedding', shape: [traitRows(traits), width] }] : []),
  ];
}

function autoregressiveWeights(config: AutoregressiveConfig): WeightShape[] {
  return [...sharedWeights(config), { name: 'transformer.startToken', shape: [config.width] }];
}

/** What transformers of every family have. */
function sharedWeights({ width, vocabulary, positions, blocks }: AutoregressiveConfig): WeightShape[] {
  const ofBlock = (i: number): WeightShape[] => {
    const at = `transformer.blocks.${i}`;
    return [
      ...scaleBias(`${at}.norm1`, width),
      ...scaleBias(`${at}.norm2`, width),
      ...['query', 'key', 'value', 'projection'].flatMap((part) => layer(`${at}.${part}`, [width, width])),
      ...layer(`${at}.expand`, [width, 4 * width]),
      ...layer(`${at}.contract`, [4 * width, width]),
    ];
  };
  return [
    { name: 'transformer.tokenEmbedding', shape: [vocabulary, width] },
    { name: 'transformer.positionEmbedding', shape: [positions, width] },
    ...Array.from({ length: blocks }, (_, i) => ofBlock(i)).flat(),
    ...scaleBias('transformer.finalNorm', width),
    { name: 'transformer.head.weight', shape: [width, vocabulary] },
  ];
}

function tokenizerWeights({ tokenizer }: ModelConfig, kernels: KernelExtents): WeightShape[] {
  const { codes, codeWidth, norm, decoder, encoder } = tokenizer;
  const first = decoder[0]?.channels ?? codeWidth;
  const ends = kernels.ends ?? CUBE;
  const norms = (name: string, channels: number): WeightShape[] =>
    norm === 'none' ? [] : scaleBias(name, channels);
  const resample = (stride: Extent3): Extent3 => {
    const extent = (s: number): number => (s > 1 ? 2 * s : 3);
    return [extent(stride[0]), extent(stride[1]), extent(stride[2])];
  };
  const residual = (at: string, count: number, channels: number, kernel: Extent3): WeightShape[] =>
    Array.from({ length: count }, (_, j) => [
      ...norms(`${at}.blocks.${j}.norm1`, channels),
      ...layer(`${at}.blocks.${j}.conv1`, [...kernel, channels, channels]),
      ...norms(`${at}.blocks.${j}.norm2`, channels),
      ...layer(`${at}.blocks.${j}.conv2`, [...kernel, channels, channels]),
    ]).flat();

  const weights: WeightShape[] = [
    { name: 'tokenizer.codebook', shape: [codes, codeWidth] },
    ...layer('tokenizer.postQuantization', [1, 1, 1, codeWidth, first]),
    ...norms('tokenizer.decoder.inputNorm', first),
  ];
  let width = first;
  decoder.forEach(({ channels, stride, residualBlocks }, i) => {
    const at = `tokenizer.decoder.stages.${i}`;
    weights.push(...layer(`${at}.up`, [...(kernels.up?.(i) ?? resample(stride)), width, channels]));
    weights.push(...residual(at, residualBlocks, channels, kernels.decoderBlocks?.(i) ?? CUBE));
    width = channels;
  });
  weights.push(...layer('tokenizer.decoder.output', [...ends, width, 3]));
  if (!encoder) return weights;

  width = Math.max(1, Math.round((encoder[0]?.channels ?? 2) / 2));
  weights.push(...layer('tokenizer.encoder.input', [...ends, 3, width]));
  encoder.forEach(({ channels, stride, residualBlocks }, i) => {
    const at = `tokenizer.encoder.stages.${i}`;
    weights.push(...layer(`${at}.down`, [...(kernels.down?.(i) ?? resample(stride)), width, channels]));
    weights.push(...residual(at, residualBlocks, channels, kernels.encoderBlocks?.(i) ?? CUBE));
    width = channels;
  });
  weights.push(...norms('tokenizer.encoder.outputNorm', width));
  weights.push(...layer('tokenizer.preQuantization', [1, 1, 1, width, codeWidth]));
  return weights;
}

/** `<name>.weight` of `shape` and `<name>.bias` for its last axis. */
function layer(name: string, shape: readonly number[]): WeightShape[] {
  return [
    { name: `${name}.weight`, shape },
    { name: `${name}.bias`, shape: shape.slice(-1) },
  ];
}

function scaleBias(name: string, channels: number): WeightShape[] {
  return [
    { name: `${name}.scale`, shape: [channels] },
    { name: `${name}.bias`, shape: [channels] },
  ];
}

/**
 * Values of one weight: scales near 1, biases near 0, codes and embeddings of unit size, and matrices and kernels such
 * that activations neither die out nor explode. Depends on seed and name only.
 */
export function randomWeight({ name, shape }: WeightShape, seed: number): Float32Array<ArrayBuffer> {
  const next = uniform(hash(name, seed));
  const size = shape.reduce((product, extent) => product * extent, 1);
  const inputs = size / (shape[shape.length - 1] ?? 1);
  let centre = 0;
  let spread = 0.1;
  if (name.endsWith('.scale')) centre = 1;
  else if (name.endsWith('.weight')) spread = Math.sqrt(3 / inputs);
  else if (!name.endsWith('.bias')) spread = 1;
  return Float32Array.from({ length: size }, () => centre + spread * (2 * next() - 1));
}

/** Reads random weights: `readTransformer(config.transformer, randomReader(config, 1))`. */
export function randomReader(config: ModelConfig, seed: number, kernels: KernelExtents = {}): WeightReader {
  return readerOf(listWeights(config, kernels), seed);
}

/** The same for `readAutoregressive(config, …)`. */
export function randomAutoregressiveReader(config: AutoregressiveConfig, seed: number): WeightReader {
  return readerOf(autoregressiveWeights(config), seed);
}

function readerOf(weights: readonly WeightShape[], seed: number): WeightReader {
  const shapes = new Map(weights.map((weight) => [weight.name, weight]));
  return float32Reader((name, shape) => {
    const weight = shapes.get(name);
    if (!weight) throw new Error(`randomReader: the configuration has no weight ${name}.`);
    if (shape.length !== weight.shape.length || shape.some((n, i) => n !== -1 && n !== weight.shape[i])) {
      throw new Error(
        `randomReader: ${name} is [${weight.shape.join(', ')}], asked for [${shape.join(', ')}].`,
      );
    }
    return tf.tensor(randomWeight(weight, seed), [...weight.shape], 'float32');
  });
}

/** FNV-1a over the name's UTF-16 units, started from the seed. */
function hash(name: string, seed: number): number {
  let state = (0x811c9dc5 ^ seed) >>> 0;
  for (let i = 0; i < name.length; i++) state = Math.imul(state ^ name.charCodeAt(i), 0x01000193) >>> 0;
  return state;
}

/** Numbers in [0, 1): a counter through the finaliser of MurmurHash3. */
function uniform(start: number): () => number {
  let counter = start;
  return () => {
    counter = (counter + 0x9e3779b9) >>> 0;
    let x = counter;
    x = Math.imul(x ^ (x >>> 16), 0x85ebca6b);
    x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
    return ((x ^ (x >>> 16)) >>> 0) / 2 ** 32;
  };
}
