/**
 * Writes files as torch.save does: zip archives with stored entries aligned to 64 bytes, data descriptors, and the
 * zip64 end records; and the legacy format. For tests and scripts; runs in Node.
 */
import { crc32 } from 'node:zlib';
import { contiguousStride } from '../checkpoint/tensor';
import { dict, type PickledObject, type PickledTensor, type PickledValue, writePickle } from './pickleWriter';

/** A tensor to be saved. The chunks are asked for once, when its bytes are due; they make up float32 elements. */
export interface SavedTensor {
  readonly shape: readonly number[];
  readonly chunks: () => Iterable<Uint8Array<ArrayBuffer>>;
}

export type Write = (bytes: Uint8Array<ArrayBuffer>) => Promise<void> | void;

/** What may stand in a saved object beside plain values. */
export type SavedValue = PickledValue | SavedTensor | ReadonlyMap<string, SavedValue> | readonly SavedValue[];

export const isSavedTensor = (value: unknown): value is SavedTensor =>
  typeof value === 'object' && value !== null && 'chunks' in value;

export const floats = (shape: readonly number[], values: Float32Array<ArrayBuffer>): SavedTensor => ({
  shape,
  chunks: () => [new Uint8Array(values.buffer, values.byteOffset, values.byteLength)],
});

/** Replaces tensors by references to storages 0, 1, …, in the order in which they are met. */
function collect(value: SavedValue, storages: SavedTensor[]): PickledValue {
  if (isSavedTensor(value)) {
    const elements = value.shape.reduce((product, extent) => product * extent, 1);
    const key = String(storages.length);
    storages.push(value);
    const tensor: PickledTensor = {
      kind: 'tensor',
      storage: 'FloatStorage',
      key,
      elements,
      offset: 0,
      shape: value.shape,
      stride: contiguousStride(value.shape),
    };
    return tensor;
  }
  if (value instanceof Map) {
    return new Map(Array.from(value, ([key, item]) => [key, collect(item as SavedValue, storages)]));
  }
  if (Array.isArray(value)) return value.map((item: SavedValue) => collect(item, storages));
  return value as PickledValue;
}

/** A `torch.save(value)`. @returns bytes written */
export async function writeTorchZip(value: SavedValue, write: Write, root = 'archive'): Promise<number> {
  const storages: SavedTensor[] = [];
  const pickle = writePickle(collect(value, storages));
  const zip = new ZipStream(write);
  await zip.entry(`${root}/data.pkl`, [pickle]);
  for (const [key, storage] of storages.entries()) await zip.entry(`${root}/data/${key}`, storage.chunks());
  await zip.entry(`${root}/version`, [new TextEncoder().encode('3\n')]);
  return zip.end();
}

/** The same as one array. */
export async function torchZip(value: SavedValue, root?: string): Promise<Uint8Array<ArrayBuffer>> {
  const parts: Uint8Array[] = [];
  await writeTorchZip(value, (bytes) => void parts.push(bytes.slice()), root);
  return Uint8Array.from(Buffer.concat(parts));
}

/** An archive around a pickle that was written elsewhere, with two storages of 64 bytes. */
export async function torchZipOf(pickle: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
  const parts: Uint8Array[] = [];
  const zip = new ZipStream((bytes) => void parts.push(bytes));
  await zip.entry('archive/data.pkl', [pickle]);
  for (const key of [0, 1]) await zip.entry(`archive/data/${key}`, [new Uint8Array(64)]);
  await zip.end();
  return Uint8Array.from(Buffer.concat(parts));
}

/** An archive of empty entries. */
export async function torchZipOfEntries(names: readonly string[]): Promise<Uint8Array<ArrayBuffer>> {
  const parts: Uint8Array[] = [];
  const zip = new ZipStream((bytes) => void parts.push(bytes));
  for (const name of names) await zip.entry(name, []);
  await zip.end();
  return Uint8Array.from(Buffer.concat(parts));
}

/** The format before PyTorch 1.6. @returns bytes written */
export async function writeTorchLegacy(value: SavedValue, write: Write): Promise<number> {
  const storages: SavedTensor[] = [];
  const object = writePickle(collect(value, storages));
  const system = writePickle(dict({ protocol_version: 1001, little_endian: true }));
  const keys = writePickle(storages.map((_, key) => String(key)));
  let written = 0;
  const put = async (bytes: Uint8Array<ArrayBuffer>): Promise<void> => {
    written += bytes.length;
    await write(bytes);
  };
  for (const head of [LEGACY_MAGIC, writePickle(1001), system, object, keys]) await put(head);
  for (const { shape, chunks } of storages) {
    const elements = shape.reduce((product, extent) => product * extent, 1);
    await put(new Uint8Array(BigInt64Array.of(BigInt(elements)).buffer));
    for (const chunk of chunks()) await put(chunk);
  }
  return written;
}

/** A pickle of protocol 2 of a long integer. */
const LEGACY_MAGIC = Uint8Array.from([
  ...[0x80, 2, 0x8a, 0x0a, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, 0x2e],
]);

/** The same as one array. */
export async function torchLegacy(value: SavedValue): Promise<Uint8Array<ArrayBuffer>> {
  const parts: Uint8Array[] = [];
  await writeTorchLegacy(value, (bytes) => void parts.push(bytes.slice()));
  return Uint8Array.from(Buffer.concat(parts));
}

/** The keys that Lightning saves, as far as they matter. */
export function lightningCheckpoint(
  stateDict: ReadonlyMap<string, SavedTensor>,
  hyperParameters: PickledValue,
  more: Readonly<Record<string, SavedValue>> = {},
): SavedValue {
  return new Map<string, SavedValue>([
    ['epoch', 1],
    ['global_step', 1000],
    ['pytorch-lightning_version', '1.7.5'],
    ['state_dict', stateDict],
    ...Object.entries(more),
    ['hyper_parameters', hyperParameters],
  ]);
}

/** An argparse.Namespace. */
export const namespace = (fields: Readonly<Record<string, PickledValue>>): PickledObject => ({
  kind: 'object',
  module: 'argparse',
  className: 'Namespace',
  state: dict(fields),
});

/** An OmegaConf node whose parent is the whole configuration. */
export const dictConfig = (content: PickledValue, parent?: PickledValue): PickledObject => ({
  kind: 'object',
  module: 'omegaconf.dictconfig',
  className: 'DictConfig',
  state: dict({ _content: content, _parent: parent ?? null }),
});

const ALIGNMENT = 64;
const UINT32_MAX = 0xffff_ffff;

interface Entry {
  readonly name: Uint8Array<ArrayBuffer>;
  readonly offset: number;
  readonly size: number;
  readonly crc: number;
}

class ZipStream {
  readonly #entries: Entry[] = [];
  #at = 0;

  constructor(private readonly write: Write) {}

  async #put(bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    this.#at += bytes.length;
    await this.write(bytes);
  }

  /** Sizes follow the data: local headers have none. */
  async entry(path: string, chunks: Iterable<Uint8Array<ArrayBuffer>>): Promise<void> {
    const name = new TextEncoder().encode(path);
    const offset = this.#at;
    const dataAt = offset + 30 + name.length + 4;
    const padding = (ALIGNMENT - (dataAt % ALIGNMENT)) % ALIGNMENT;
    const header = fields(
      [0x04034b50, 4],
      [45, 2],
      [0x0808, 2],
      [0, 2],
      [0, 4],
      [0, 4],
      [0, 4],
      [0, 4],
      [name.length, 2],
      [4 + padding, 2],
    );
    await this.#put(header);
    await this.#put(name);
    await this.#put(fields([0x4246, 2], [padding, 2])); // "FB", as PyTorch pads
    await this.#put(new Uint8Array(padding));
    let [size, crc] = [0, 0];
    for (const chunk of chunks) {
      size += chunk.length;
      crc = crc32(chunk, crc);
      await this.#put(chunk);
    }
    await this.#put(fields([0x08074b50, 4], [crc, 4], [size, 8], [size, 8]));
    this.#entries.push({ name, offset, size, crc });
  }

  async end(): Promise<number> {
    const start = this.#at;
    for (const { name, offset, size, crc } of this.#entries) {
      const long = fields([1, 2], [24, 2], [size, 8], [size, 8], [offset, 8]);
      await this.#put(
        fields(
          [0x02014b50, 4],
          [45, 2],
          [45, 2],
          [0x0808, 2],
          [0, 2],
          [0, 4],
          [crc, 4],
          [UINT32_MAX, 4],
          [UINT32_MAX, 4],
          [name.length, 2],
          [long.length, 2],
          [0, 2],
          [0, 2],
          [0, 2],
          [0, 4],
          [UINT32_MAX, 4],
        ),
      );
      await this.#put(name);
      await this.#put(long);
    }
    const [end, count] = [this.#at, this.#entries.length];
    await this.#put(
      fields(
        [0x06064b50, 4],
        [44, 8],
        [45, 2],
        [45, 2],
        [0, 4],
        [0, 4],
        [count, 8],
        [count, 8],
        [end - start, 8],
        [start, 8],
      ),
    );
    await this.#put(fields([0x07064b50, 4], [0, 4], [end, 8], [1, 4]));
    await this.#put(
      fields(
        [0x06054b50, 4],
        [0, 2],
        [0, 2],
        [Math.min(count, 0xffff), 2],
        [Math.min(count, 0xffff), 2],
        [Math.min(end - start, UINT32_MAX), 4],
        [Math.min(start, UINT32_MAX), 4],
        [0, 2],
      ),
    );
    return this.#at;
  }
}

/** Little-endian numbers of 2, 4 or 8 bytes, one after the other. */
function fields(
  ...numbers: readonly (readonly [value: number, bytes: 2 | 4 | 8])[]
): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(numbers.reduce((sum, [, bytes]) => sum + bytes, 0));
  const view = new DataView(out.buffer);
  let at = 0;
  for (const [value, bytes] of numbers) {
    if (bytes === 2) view.setUint16(at, value, true);
    else if (bytes === 4) view.setUint32(at, value >>> 0, true);
    else view.setBigUint64(at, BigInt(value), true);
    at += bytes;
  }
  return out;
}
