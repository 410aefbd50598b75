/** Small files of every kind that the loader reads, as bytes: what the fuzz test starts from. */
import type { Answers } from '../convert';
import {
  type OfficialSizes,
  type Shapes,
  transformerSettings,
  transformerShapes,
  vqganSettings,
  vqganShapes,
} from './officialShapes';
import { dict } from './pickleWriter';
import { generator, randomTensor } from './randomWeights';
import {
  floats,
  lightningCheckpoint,
  namespace,
  type SavedTensor,
  type SavedValue,
  torchLegacy,
  torchZip,
} from './torchWriter';

/** An official model with one block of each kind and a tokenizer of one stage. */
export const MICRO: OfficialSizes = {
  modes: ['latent_enc', 'latent_dec'],
  width: 4,
  heads: 2,
  latentTokens: 2,
  codes: 8,
  grid: [1, 2, 2],
  downsample: [2, 2, 2],
  codeWidth: 4,
  hiddens: 1,
};

export const tensorsOf = (shapes: Shapes, seed = ''): Map<string, SavedTensor> =>
  new Map(Array.from(shapes, ([name, shape]) => [name, randomTensor(seed + name, shape)]));

/** A Net2NetTransformer with its VQGAN in it. */
export function wholeModel(sizes: OfficialSizes): SavedValue {
  const vqgan = Array.from(tensorsOf(vqganShapes(sizes)), ([name, tensor]) => {
    return [`first_stage_model.${name}`, tensor] as const;
  });
  const state = new Map([...tensorsOf(transformerShapes(sizes)), ...vqgan]);
  return lightningCheckpoint(state, transformerSettings(sizes));
}

/** A Net2NetTransformer alone, and the VQGAN alone. */
export const transformerAlone = (sizes: OfficialSizes): SavedValue =>
  lightningCheckpoint(tensorsOf(transformerShapes(sizes)), transformerSettings(sizes));
export const vqganAlone = (sizes: OfficialSizes): SavedValue =>
  lightningCheckpoint(tensorsOf(vqganShapes(sizes)), vqganSettings(sizes));

/** A few tensors and settings, not of any model. */
function fewTensors(): SavedValue {
  const values = (count: number, seed: number): Float32Array<ArrayBuffer> => {
    const random = generator(seed);
    return Float32Array.from({ length: count }, () => random() - 0.5);
  };
  const state = new Map<string, SavedTensor>([
    ['a.weight', floats([4, 6], values(24, 1))],
    ['a.bias', floats([6], values(6, 2))],
    ['scalar', floats([], values(1, 3))],
  ]);
  const settings = dict({
    args: namespace({ downsample: [2, 4, 4], padding_type: 'replicate', rate: 0.25, big: 2 ** 40 }),
  });
  return lightningCheckpoint(state, settings);
}

export interface SafetensorsEntry {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly data_offsets: readonly [number, number];
}

export function safetensors(header: object, data: Uint8Array): Uint8Array<ArrayBuffer> {
  const text = new TextEncoder().encode(JSON.stringify(header));
  const out = new Uint8Array(8 + text.length + data.length);
  new DataView(out.buffer).setBigUint64(0, BigInt(text.length), true);
  out.set(text, 8);
  out.set(data, 8 + text.length);
  return out;
}

export const SAFETENSORS_HEADER: Readonly<Record<string, SafetensorsEntry | Record<string, string>>> = {
  x: { dtype: 'F32', shape: [2, 3], data_offsets: [0, 24] },
  half: { dtype: 'BF16', shape: [4], data_offsets: [24, 32] },
  ids: { dtype: 'I64', shape: [2], data_offsets: [32, 48] },
  __metadata__: { format: 'pt' },
};
export const SAFETENSORS_DATA = Uint8Array.from({ length: 48 }, (_, i) => i % 64);

export interface MicroFiles {
  readonly zip: Uint8Array<ArrayBuffer>;
  readonly legacy: Uint8Array<ArrayBuffer>;
  readonly safetensors: Uint8Array<ArrayBuffer>;
  /** A whole model, small. */
  readonly model: Uint8Array<ArrayBuffer>;
  readonly modelLegacy: Uint8Array<ArrayBuffer>;
}

export async function microFiles(): Promise<MicroFiles> {
  return {
    zip: await torchZip(fewTensors()),
    legacy: await torchLegacy(fewTensors()),
    safetensors: safetensors(SAFETENSORS_HEADER, SAFETENSORS_DATA),
    model: await torchZip(wholeModel(MICRO)),
    modelLegacy: await torchLegacy(wholeModel(MICRO)),
  };
}

/** What a person would answer for MICRO when its settings are lost. */
export const MICRO_ANSWERS: Answers = {
  downsample: MICRO.downsample,
  grid: MICRO.grid,
  heads: MICRO.heads,
  modes: MICRO.modes,
};
