/**
 * What both formats of torch.save have in common: pickles in which tensors are rebuilt from storages that lie elsewhere
 * in the file.
 */

import type { PythonClass, ResolveGlobal } from './pickle';
import { EndOfPickle } from './pickleReader';
import { type ByteSource, CheckpointError } from './source';
import { StoredTensor, type TensorStorage } from './tensor';

/**
 * Pickles hold settings and the tensors' places, not their values: an official one has less than 1 MB. As memory
 * may take a dozen times a pickle's size, more than this is refused.
 */
export const LARGEST_PICKLE = 16 * 2 ** 20;

export const tooLarge = (bytes: number): string =>
  `its pickle has ${bytes} bytes, more than the ${LARGEST_PICKLE} that settings and names of tensors take`;

/** A persistent id: ('storage', class, key, location, number of elements, …). The location means nothing here. */
export interface StorageId {
  readonly key: string;
  readonly className: string;
  readonly length: number;
}

export function parseStorageId(id: unknown): StorageId {
  if (typeof id === 'string') {
    throw new CheckpointError(
      'its tensors are named by text (pickle protocol 0), which PyTorch itself does not load; save it again with protocol 2',
    );
  }
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
export function tensorGlobals(source: ByteSource): ResolveGlobal {
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
export function storageOf(storage: TensorStorage): TensorStorage {
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

/** Errors of the pickle parser, as a sentence. With `mayEnd`, bytes that end too early give undefined. */
export function damaged<T>(where: string, read: () => T): T;
export function damaged<T>(where: string, read: () => T, mayEnd: boolean): T | undefined;
export function damaged<T>(where: string, read: () => T, mayEnd = false): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof CheckpointError) throw error;
    if (mayEnd && error instanceof EndOfPickle) return undefined;
    const what = error instanceof Error ? error.message : String(error);
    throw new CheckpointError(`its pickle (${where}) is damaged: ${what.replace(/\.$/, '')}`);
  }
}
