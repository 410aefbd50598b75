/**
 * Files of `torch.save`: the zip format and the legacy one (PyTorch before 1.6). Reads the pickle at once and
 * tensors when they are asked for. Knows nothing about models.
 */
import { ITEM_BYTES, storageDtype } from './dtypes';
import { type PythonClass, type ResolveGlobal, unpickle } from './pickle';
import { EndOfPickle } from './pickleReader';
import { type ByteSource, CheckpointError } from './source';
import { StoredTensor, type TensorStorage } from './tensor';
import { listZip, type StoredEntry } from './zip';

/** A 10-byte long integer that legacy files begin with, as a protocol 2 pickle. */
const LEGACY_MAGIC = [0x80, 0x02, 0x8a, 0x0a, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19];

/**
 * Pickles hold settings and the tensors' places, not their values: an official one has less than 1 MB. As memory
 * takes some dozen times a pickle's size, more than this is refused.
 */
const LARGEST_PICKLE = 64 * 2 ** 20;

/** The saved object, with a StoredTensor for each tensor. Throws CheckpointError. */
export async function openTorchFile(source: ByteSource): Promise<unknown> {
  const head = await source.read(0, Math.min(source.size, LEGACY_MAGIC.length));
  if (isZip(head)) return openZip(source);
  if (isLegacy(head)) return openLegacy(source);
  throw new CheckpointError(
    'it begins like neither a zip archive nor a legacy file of torch.save; a .ckpt or .pt of PyTorch, or a .safetensors file is expected',
  );
}

/** `head`: the first 14 bytes or more. */
export const isTorchFile = (head: Uint8Array): boolean => isZip(head) || isLegacy(head);
const isZip = (head: Uint8Array): boolean => head[0] === 0x50 && head[1] === 0x4b;
const isLegacy = (head: Uint8Array): boolean => LEGACY_MAGIC.every((byte, i) => head[i] === byte);

/** A persistent id: ('storage', class, key, location, number of elements, …). The location means nothing here. */
interface StorageId {
  readonly key: string;
  readonly className: string;
  readonly length: number;
}

function parseStorageId(id: unknown): StorageId {
  const [kind, type, key, , length, view] = Array.isArray(id) ? (id as unknown[]) : [];
  const className = (type as PythonClass | undefined)?.className;
  if (
    kind !== 'storage' ||
    typeof className !== 'string' ||
    (typeof key !== 'string' && typeof key !== 'number')
  ) {
    throw new CheckpointError('it refers to data outside of the file, where a storage in it is expected');
  }
  if (typeof length !== 'number' || !Number.isSafeInteger(length) || length < 0) {
    throw new CheckpointError(
      `its storage ${key} has ${typeof length === 'number' ? length : 'no number of'} elements`,
    );
  }
  if (Array.isArray(view))
    throw new CheckpointError('its storages are views of storages (PyTorch before 0.4); save it again');
  return { key: String(key), className, length };
}

/** The functions that PyTorch pickles tensors as. */
function tensorGlobals(source: ByteSource): ResolveGlobal {
  const rebuild = (storage: unknown, offset: unknown, shape: unknown, stride: unknown): StoredTensor => {
    if (!isStorage(storage)) throw new CheckpointError('one of its tensors has no storage');
    return new StoredTensor(source, storage, {
      shape: extents(shape),
      stride: extents(stride),
      offset: typeof offset === 'number' ? offset : Number.NaN,
    });
  };
  const known = new Map<string, (...args: unknown[]) => unknown>([
    ['torch._utils._rebuild_tensor', rebuild],
    ['torch._utils._rebuild_tensor_v2', rebuild],
    ['torch._utils._rebuild_parameter', (data) => data],
    ['torch._utils._rebuild_parameter_with_state', (data) => data],
    [
      'torch._tensor._rebuild_from_type_v2',
      (make, _type, args) => (make as PythonClass)(...(args as unknown[])),
    ],
  ]);
  return (module, name) => known.get(`${module}.${name}`);
}

const STORAGES = new WeakSet<object>();

/** Marks what a persistent id stood for, so that nothing else in a pickle passes for it. */
function storageOf(storage: TensorStorage): TensorStorage {
  STORAGES.add(storage);
  return storage;
}

const isStorage = (value: unknown): value is TensorStorage =>
  typeof value === 'object' && value !== null && STORAGES.has(value);

/** A copy, as the pickle may go on to change its list. */
function extents(value: unknown): number[] {
  if (!Array.isArray(value) || value.length > 16 || !value.every((n) => typeof n === 'number')) {
    throw new CheckpointError('one of its tensors has a shape or strides that are no list of numbers');
  }
  return [...value];
}

async function openZip(source: ByteSource): Promise<unknown> {
  const entries = await listZip(source);
  const pickle = entries.find(({ name }) => name.endsWith('/data.pkl'));
  if (!pickle) throw new CheckpointError('it is a zip archive without data.pkl, so not one of torch.save');
  if (pickle.size > LARGEST_PICKLE) throw new CheckpointError(tooLarge(pickle.size));
  const root = pickle.name.slice(0, -'data.pkl'.length); // "archive/", or the file's name
  const byName = new Map(entries.map((entry) => [entry.name, entry]));
  await checkByteOrder(source, byName.get(`${root}byteorder`));
  const persistent = (id: unknown): TensorStorage => {
    const { key, className, length } = parseStorageId(id);
    const entry = byName.get(`${root}data/${key}`);
    const dtype = storageDtype(className);
    if (!entry || entry.size < length * ITEM_BYTES[dtype]) {
      throw new CheckpointError(
        `its storage ${key} is ${entry ? `too short (${entry.size} bytes for ${length} elements of ${dtype})` : 'missing'}; it is cut short or damaged`,
      );
    }
    return storageOf({ dtype, length, locate: entry.locate });
  };
  const bytes = await source.read(await pickle.locate(), pickle.size);
  const { values } = damaged(pickle.name, () =>
    unpickle(bytes, 1, { resolve: tensorGlobals(source), persistent }),
  );
  return values[0];
}

const tooLarge = (bytes: number): string =>
  `its pickle has ${bytes} bytes, more than the ${LARGEST_PICKLE} that settings and names of tensors take`;

/** Written since PyTorch 2.1. */
async function checkByteOrder(source: ByteSource, entry: StoredEntry | undefined): Promise<void> {
  if (!entry) return;
  const order = new TextDecoder().decode(await source.read(await entry.locate(), Math.min(entry.size, 16)));
  if (order.trim() !== 'little') throw new CheckpointError(`its byte order is "${order.trim()}", not little`);
}

/**
 * Five pickles (magic, version, system, the object, list of storage keys), then for each key the number of elements
 * as int64 and the raw data. How long the pickles are is known only after reading them, so the beginning of the
 * file is tried, four times as much each time.
 */
async function openLegacy(source: ByteSource): Promise<unknown> {
  for (let length = 1 << 20; ; length *= 4) {
    const bytes = await source.read(0, Math.min(length, source.size));
    const storages = new Map<string, LegacyStorage>();
    const persistent = (id: unknown): TensorStorage => {
      const parsed = parseStorageId(id);
      const storage = storages.get(parsed.key) ?? new LegacyStorage(parsed);
      storages.set(parsed.key, storage);
      return storageOf(storage);
    };
    const read = () => unpickle(bytes, 5, { resolve: tensorGlobals(source), persistent });
    const more = length < source.size;
    const pickles = damaged('its head', read, more);
    if (pickles) {
      await placeStorages(source, pickles.values[4], storages, pickles.end);
      return pickles.values[3];
    }
    if (length >= LARGEST_PICKLE) throw new CheckpointError(tooLarge(length));
  }
}

class LegacyStorage implements TensorStorage {
  readonly dtype;
  readonly length;
  readonly key;
  offset = -1;

  constructor({ key, className, length }: StorageId) {
    this.dtype = storageDtype(className);
    this.length = length;
    this.key = key;
  }

  async locate(): Promise<number> {
    if (this.offset < 0) throw new CheckpointError(`its storage ${this.key} is not in the list of storages`);
    return this.offset;
  }
}

async function placeStorages(
  source: ByteSource,
  keys: unknown,
  storages: ReadonlyMap<string, LegacyStorage>,
  start: number,
): Promise<void> {
  if (!Array.isArray(keys)) throw new CheckpointError('it has no list of storages after its head');
  let offset = start;
  for (const key of keys) {
    const storage =
      typeof key === 'string' || typeof key === 'number' ? storages.get(String(key)) : undefined;
    const header = await source.read(offset, 8);
    const count = Number(new DataView(header.buffer).getBigInt64(0, true));
    if (!storage || storage.offset >= 0 || count !== storage.length) {
      throw new CheckpointError(
        `its storage at ${offset} has ${count} elements where ${storage && storage.offset < 0 ? storage.length : 'none'} were announced`,
      );
    }
    storage.offset = offset + 8;
    offset += 8 + count * ITEM_BYTES[storage.dtype];
  }
  if (offset > source.size)
    throw new CheckpointError(`it ends at ${source.size} of ${offset} bytes; it is cut short`);
}

/** Errors of the pickle parser, as a sentence. With `mayEnd`, bytes that end too early give undefined. */
function damaged<T>(where: string, read: () => T): T;
function damaged<T>(where: string, read: () => T, mayEnd: boolean): T | undefined;
function damaged<T>(where: string, read: () => T, mayEnd = false): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof CheckpointError) throw error;
    if (mayEnd && error instanceof EndOfPickle) return undefined;
    const what = error instanceof Error ? error.message : String(error);
    throw new CheckpointError(`its pickle (${where}) is damaged: ${what.replace(/\.$/, '')}`);
  }
}
