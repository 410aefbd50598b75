/**
 * Files of `torch.save`: the zip format and the legacy one (legacyFile.ts). Reads the pickle at once and tensors when
 * they are asked for. Knows nothing about models.
 */
import { ITEM_BYTES, storageDtype } from './dtypes';
import { isLegacy, openLegacy } from './legacyFile';
import { unpickle } from './pickle';
import { type ByteSource, CheckpointError } from './source';
import { damaged, LARGEST_PICKLE, parseStorageId, storageOf, tensorGlobals, tooLarge } from './storages';
import type { TensorStorage } from './tensor';
import { listZip, type StoredEntry } from './zip';

/** Every archive has one folder at its root, of any name. */
const PICKLE = /^[^/]+\/data\.pkl$/;

/** Bytes of a file that tell its format. */
export const HEAD_BYTES = 32;

/** The saved object, with a StoredTensor for each tensor. Throws CheckpointError. */
export async function openTorchFile(source: ByteSource): Promise<unknown> {
  const head = await source.read(0, Math.min(source.size, HEAD_BYTES));
  if (isZip(head)) return openZip(source);
  if (isLegacy(head)) return openLegacy(source);
  throw new CheckpointError(
    'it begins like neither a zip archive nor a legacy file of torch.save; a .ckpt or .pt of PyTorch, or a .safetensors file is expected',
  );
}

/** `head`: the first bytes of a file, as many as there are up to `HEAD_BYTES`. */
export const isTorchFile = (head: Uint8Array): boolean => isZip(head) || isLegacy(head);
const isZip = (head: Uint8Array): boolean => head[0] === 0x50 && head[1] === 0x4b;

async function openZip(source: ByteSource): Promise<unknown> {
  const entries = await listZip(source);
  const pickle = entries.find(({ name }) => PICKLE.test(name));
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

/** Written since PyTorch 2.1. */
async function checkByteOrder(source: ByteSource, entry: StoredEntry | undefined): Promise<void> {
  if (!entry) return;
  const order = new TextDecoder().decode(await source.read(await entry.locate(), Math.min(entry.size, 16)));
  if (order.trim() !== 'little') throw new CheckpointError(`its byte order is "${order.trim()}", not little`);
}
