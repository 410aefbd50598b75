/**
 * Which tensor is stored as what: the rules of weights/recipe/manifest.py, but for the token embedding, which is float16
 * there beside int8. That was measured for sky-64; an official one of float16 would be 50 MB more on the device.
 */
import { scalesOf, storedBytes } from '../manifest';
import type { StoredAs } from './quantize';

export const QUANTIZATIONS = ['int8', 'int4', 'float16', 'float32'] as const;
/** What a person asks for; single tensors may be stored more exactly. */
export type Quantization = (typeof QUANTIZATIONS)[number];

/** Rows of int4 that share a scale. */
export const INT4_GROUPS = [32, 64] as const;
export type Int4Group = (typeof INT4_GROUPS)[number];

/** The matrices that nearly all weights of a transformer lie in; eight nibbles to a word suit their widths. */
const INT4 = /^transformer\.(blocks\.\d+\.\w+|head)\.weight$/;

/**
 * Matrices and kernels as asked for; codebook, norms, biases and the preview's map as float32. Where int4 is asked
 * for, tables and the tokenizer's kernels are int8: they are few, and errors of theirs are seen at once.
 */
export function storageOf(
  name: string,
  shape: readonly number[],
  quantization: Quantization,
  group: Int4Group = 64,
): StoredAs {
  if (shape.length < 2 || name === 'tokenizer.codebook' || name.startsWith('preview.')) {
    return { dtype: 'float32' };
  }
  if (quantization !== 'int4') return { dtype: quantization };
  return INT4.test(name) ? { dtype: 'int4', group } : { dtype: 'int8' };
}

/** Bytes in a shard, scales and padding to whole words included. */
export function bytesStored(shape: readonly number[], { dtype, group }: StoredAs): number {
  const data = Math.ceil(storedBytes({ shape, dtype }) / 4) * 4;
  if (dtype === 'int4') return data + 4 * scalesOf({ shape, group: group ?? 64 });
  return dtype === 'int8' ? data + 4 * scalesOf({ shape }) : data;
}
