/** The format of torch.save before PyTorch 1.6, which it still writes when asked to. */
import { ITEM_BYTES, storageDtype } from './dtypes';
import { unpickle } from './pickle';
import { type ByteSource, CheckpointError } from './source';
import {
  damaged,
  LARGEST_PICKLE,
  parseStorageId,
  type StorageId,
  storageOf,
  tensorGlobals,
  tooLarge,
} from './storages';
import type { TensorStorage } from './tensor';

/** The integer that these files begin with, in a pickle of its own: 10 bytes after LONG1, or digits. */
const MAGIC = [0x8a, 0x0a, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, 0x2e];
const MAGIC_TEXT = Array.from('L119547037146038801333356L\n.', (letter) => letter.charCodeAt(0));
const [PROTO, FRAME] = [0x80, 0x95];

/** `head`: the first bytes of a file, as many as there are up to `HEAD_BYTES`. */
export function isLegacy(head: Uint8Array): boolean {
  const [first, protocol = 0, third] = head;
  if (first !== PROTO) return startsWith(head, MAGIC_TEXT); // protocols 0 and 1
  return protocol >= 2 && protocol <= 5 && startsWith(head.subarray(third === FRAME ? 11 : 2), MAGIC);
}

const startsWith = (bytes: Uint8Array, start: readonly number[]): boolean =>
  start.every((byte, i) => bytes[i] === byte);

/**
 * Five pickles (magic, version, system, the object, list of storage keys), then for each key the number of elements
 * as int64 and the raw data. How long the pickles are is known only after reading them, so the beginning of the
 * file is tried, four times as much each time.
 */
export async function openLegacy(source: ByteSource): Promise<unknown> {
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
