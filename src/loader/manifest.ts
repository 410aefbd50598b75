/**
 * The weight manifest, version 1: what a `manifest.json` holds. A model is this file and the shards beside it.
 *
 * Tensors are channels last (linear [in, out], convolution [kt, kh, kw, in, out], up-convolution the same order,
 * embeddings [rows, C]). In what follows a row is all values of the last axis, O of them, and I is the number of rows.
 *
 * Stored little-endian, row by row:
 *   float32, float16  as they are
 *   int8              one byte a value; float32 scales [O]: w[i, o] = q[i, o] * scale[o]
 *   int4              q in -8..7 as two's-complement nibbles, eight to a uint32 along O, the first in the lowest bits;
 *                     a row is padded with zeros to whole words, so it takes ceil(O/8) of them;
 *                     float32 scales [ceil(I/group), O]: w[i, o] = q[i, o] * scale[floor(i/group), o]
 */
import type { ModelConfig } from '../config/model';
import { LoadError } from './errors';
import {
  asArray,
  asCount,
  asObject,
  asString,
  FieldError,
  type Fields,
  parseModelConfig,
  show,
} from './model-config';
import { sha256 } from './sha256';

export const MANIFEST_FORMAT = 'mebt-weights';
export const MANIFEST_VERSION = 1;

export const STORED_DTYPES = ['float32', 'float16', 'int8', 'int4'] as const;
export type StoredDtype = (typeof STORED_DTYPES)[number];

/** Bytes inside a shard. A tensor never crosses the end of its shard. */
export interface ByteRange {
  /** Index into `shards`. */
  readonly shard: number;
  /** Bytes from the start of the shard; a multiple of 4. */
  readonly offset: number;
}

export interface TensorEntry extends ByteRange {
  readonly name: string;
  readonly shape: readonly number[];
  readonly dtype: StoredDtype;
  /** For int8 and int4: where the float32 scales lie, `scalesOf(entry)` of them. */
  readonly scale?: ByteRange;
  /** For int4: rows that share their scales, a multiple of 4; 32 and 64 are usual. The last group may be shorter. */
  readonly group?: number;
}

export interface ShardEntry {
  /** File name, relative to the manifest. */
  readonly file: string;
  readonly bytes: number;
  /** Lower-case hex. */
  readonly sha256: string;
}

export interface Manifest {
  readonly format: typeof MANIFEST_FORMAT;
  readonly version: typeof MANIFEST_VERSION;
  readonly name: string;
  /** SPDX identifier, or a sentence. */
  readonly license: string;
  /** Number of weights that the model runs with (previews not counted). */
  readonly parameters: number;
  readonly model: ModelConfig;
  readonly tensors: readonly TensorEntry[];
  readonly shards: readonly ShardEntry[];
  /** Hash of the whole: SHA-256 of the manifest file's bytes with these 64 digits replaced by zeros. */
  readonly sha256: string;
}

/** A group of int4 beyond this would be one scale per channel for any width in use. */
const LARGEST_GROUP = 4096;

/** Letters, digits and underscores in parts joined by dots; a part is at most 64 long. */
const TENSOR_NAME = /^[A-Za-z0-9_]{1,64}(\.[A-Za-z0-9_]{1,64})*$/;
/** Names that every JavaScript object already has. */
const PROTOTYPE_NAMES = new Set(['__proto__', 'prototype', ...Object.getOwnPropertyNames(Object.prototype)]);
/** One file beside the manifest: no folder, no address, nothing hidden. */
const SHARD_FILE = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/;
const HASH = /^[0-9a-f]{64}$/;
/** Axes of a tensor: a 3-D convolution has five. */
const MOST_AXES = 6;

/** Number of values of a tensor of this shape. */
export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, axis) => product * axis, 1);
}

/** I and O: the product of all axes but the last, and the last. */
export function rowsAndColumns(shape: readonly number[]): readonly [rows: number, columns: number] {
  return [sizeOf(shape.slice(0, -1)), shape.at(-1) ?? 1];
}

/** Bytes that the values take in their shard, without the scales. */
export function storedBytes({ shape, dtype }: Pick<TensorEntry, 'shape' | 'dtype'>): number {
  if (dtype === 'int4') {
    const [rows, columns] = rowsAndColumns(shape);
    return 4 * rows * Math.ceil(columns / 8);
  }
  return sizeOf(shape) * { float32: 4, float16: 2, int8: 1 }[dtype];
}

/** Number of float32 scales: one a column, and for int4 so many for each group of rows. */
export function scalesOf({ shape, group }: Pick<TensorEntry, 'shape' | 'group'>): number {
  const [rows, columns] = rowsAndColumns(shape);
  return columns * (group === undefined ? 1 : Math.ceil(rows / group));
}

/** Bytes of the whole model. */
export function bytesOf(manifest: Manifest): number {
  return manifest.shards.reduce((sum, shard) => sum + shard.bytes, 0);
}

/**
 * Reads and checks a manifest: its version, its hash, the configuration, and that every tensor lies aligned and
 * alone inside its shard.
 * @param url where it came from, for the messages
 * @throws LoadError `not-a-manifest` or `manifest-version`
 */
export async function parseManifest(text: string, url: string): Promise<Manifest> {
  try {
    return await readManifest(text, url);
  } catch (error) {
    if (!(error instanceof FieldError)) throw error;
    const rule = `The weight manifest at ${url} is not valid: ${error.message}. Export the model again, or reload the page.`;
    throw new LoadError('not-a-manifest', rule, true, { cause: error });
  }
}

async function readManifest(text: string, url: string): Promise<Manifest> {
  const fields = asObject(parseJson(text, url), 'the manifest');
  if (fields.format !== MANIFEST_FORMAT) {
    throw new FieldError(`format must be "${MANIFEST_FORMAT}", got ${show(fields.format)}`);
  }
  if (fields.version !== MANIFEST_VERSION) {
    throw new LoadError(
      'manifest-version',
      `The weights at ${url} have manifest version ${show(fields.version)}, but this page reads version ${MANIFEST_VERSION}. Reload the page to get its newest version, or export the weights again.`,
      false,
    );
  }
  const shards = asArray(fields.shards, 'shards').map(parseShard);
  const manifest: Manifest = {
    format: MANIFEST_FORMAT,
    version: MANIFEST_VERSION,
    name: asString(fields.name, 'name'),
    license: asString(fields.license, 'license'),
    parameters: asCount(fields.parameters, 'parameters', 0),
    model: parseModelConfig(fields.model),
    tensors: asArray(fields.tensors, 'tensors').map((tensor, i) => parseTensor(tensor, `tensors[${i}]`)),
    shards,
    sha256: parseHash(fields.sha256, 'sha256'),
  };
  if (new Set(shards.map((shard) => shard.file)).size !== shards.length) {
    throw new FieldError('shards must not name a file twice');
  }
  checkLayout(manifest);
  await checkHash(text, manifest.sha256);
  return manifest;
}

function parseJson(text: string, url: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    const got = /^\s*</.test(text) ? 'a web page' : 'something else';
    throw new LoadError(
      'not-a-manifest',
      `A weight manifest was expected at ${url}, but the server sent ${got}. Check that the weights were copied beside the page.`,
      true,
      { cause: error },
    );
  }
}

function parseHash(value: unknown, at: string): string {
  const text = asString(value, at);
  if (!HASH.test(text))
    throw new FieldError(`${at} must be 64 lower-case hex digits, got "${text.slice(0, 70)}"`);
  return text;
}

function parseShard(value: unknown, i: number): ShardEntry {
  const fields = asObject(value, `shards[${i}]`);
  const file = asString(fields.file, `shards[${i}].file`);
  if (!SHARD_FILE.test(file)) {
    throw new FieldError(
      `shards[${i}].file must be the plain name of a file beside the manifest, got "${file}"`,
    );
  }
  return {
    file,
    bytes: asCount(fields.bytes, `shards[${i}].bytes`, 1, 2 ** 31),
    sha256: parseHash(fields.sha256, `shards[${i}].sha256`),
  };
}

function parseRange(fields: Fields, at: string): ByteRange {
  const offset = asCount(fields.offset, `${at}.offset`, 0);
  if (offset % 4 !== 0) throw new FieldError(`${at}.offset must be a multiple of 4, got ${offset}`);
  return { shard: asCount(fields.shard, `${at}.shard`, 0), offset };
}

function parseTensor(value: unknown, at: string): TensorEntry {
  const fields = asObject(value, at);
  const name = asString(fields.name, `${at}.name`);
  if (!TENSOR_NAME.test(name) || name.split('.').some((part) => PROTOTYPE_NAMES.has(part))) {
    throw new FieldError(
      `${at}.name must be words joined by dots, none reserved by JavaScript, got "${name}"`,
    );
  }
  const dtype = STORED_DTYPES.find((known) => known === fields.dtype);
  if (!dtype) {
    throw new FieldError(
      `${at}.dtype of ${name} must be one of ${STORED_DTYPES.join(', ')}, got ${show(fields.dtype)}`,
    );
  }
  const shape = asArray(fields.shape, `${at}.shape`).map((axis, i) => asCount(axis, `${at}.shape[${i}]`));
  if (shape.length < 1 || shape.length > MOST_AXES) {
    throw new FieldError(`${at}.shape of ${name} must have 1 to ${MOST_AXES} axes, got ${shape.length}`);
  }
  return {
    name,
    shape,
    dtype,
    ...parseRange(fields, at),
    ...parseScale(fields, dtype, `${at}.scale of ${name}`, at),
  };
}

/** `scale` of a quantized tensor, and `group` of one of int4. */
function parseScale(
  fields: Fields,
  dtype: StoredDtype,
  scaleOf: string,
  at: string,
): Pick<TensorEntry, 'scale' | 'group'> {
  const quantized = dtype === 'int8' || dtype === 'int4';
  if ((fields.scale !== undefined) !== quantized) {
    throw new FieldError(
      `${scaleOf} must be there for int8 and int4, and for nothing else (dtype is ${dtype})`,
    );
  }
  if ((fields.group !== undefined) !== (dtype === 'int4')) {
    throw new FieldError(`${at}.group must be there for int4, and for nothing else (dtype is ${dtype})`);
  }
  if (!quantized) return {};
  const scale = parseRange(asObject(fields.scale, `${at}.scale`), `${at}.scale`);
  if (dtype === 'int8') return { scale };
  const group = asCount(fields.group, `${at}.group`, 4, LARGEST_GROUP);
  if (group % 4 !== 0) throw new FieldError(`${at}.group must be a multiple of 4, got ${group}`);
  return { scale, group };
}

/** Every name once, every range inside its shard, no two ranges on the same bytes. */
function checkLayout(manifest: Manifest): void {
  const names = new Set<string>();
  const used: { shard: number; start: number; end: number; what: string }[] = [];
  const take = ({ shard, offset }: ByteRange, bytes: number, what: string) => {
    const entry = manifest.shards[shard];
    if (!entry)
      throw new FieldError(`${what} lies in shard ${shard}, but there are ${manifest.shards.length}`);
    if (offset + bytes > entry.bytes) {
      throw new FieldError(
        `${what} ends at byte ${offset + bytes} of ${entry.file}, which has ${entry.bytes}`,
      );
    }
    used.push({ shard, start: offset, end: offset + bytes, what });
  };
  for (const tensor of manifest.tensors) {
    if (names.has(tensor.name)) throw new FieldError(`tensor ${tensor.name} is listed twice`);
    names.add(tensor.name);
    take(tensor, storedBytes(tensor), `tensor ${tensor.name}`);
    if (tensor.scale) take(tensor.scale, 4 * scalesOf(tensor), `the scale of ${tensor.name}`);
  }
  used.sort((a, b) => a.shard - b.shard || a.start - b.start);
  for (const [i, range] of used.entries()) {
    const next = used[i + 1];
    if (next && next.shard === range.shard && next.start < range.end) {
      throw new FieldError(
        `${range.what} and ${next.what} overlap at byte ${next.start} of shard ${range.shard}`,
      );
    }
  }
}

/** SHA-256 of the manifest's text with its own 64 digits replaced by zeros. */
export function manifestHash(text: string, ownDigits: string): Promise<string> {
  return sha256(new TextEncoder().encode(text.replaceAll(ownDigits, '0'.repeat(64))));
}

async function checkHash(text: string, stated: string): Promise<void> {
  const computed = await manifestHash(text, stated);
  if (computed !== stated) {
    throw new FieldError(
      `its hash is ${computed.slice(0, 12)}…, but it states ${stated.slice(0, 12)}…: it was changed or cut`,
    );
  }
}
