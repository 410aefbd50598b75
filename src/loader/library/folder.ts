/**
 * The browser's private file system (OPFS) as the library uses it: folders, whole files, and locks between tabs.
 * Worker only: files are written by sync access handles, which pages do not have and every browser's workers do.
 */
import { LoadError } from '../errors';

/** The part of FileSystemDirectoryHandle that is used. */
export interface Folder {
  getDirectoryHandle(name: string, options?: { create?: boolean }): Promise<Folder>;
  getFileHandle(name: string, options?: { create?: boolean }): Promise<StoredFile>;
  removeEntry(name: string, options?: { recursive?: boolean }): Promise<void>;
  entries(): AsyncIterable<[string, { readonly kind: 'file' | 'directory' }]>;
}

export interface StoredFile {
  getFile(): Promise<Blob>;
  createSyncAccessHandle(): Promise<{
    write(bytes: Uint8Array<ArrayBuffer>, options: { at: number }): number;
    truncate(size: number): void;
    flush(): void;
    close(): void;
  }>;
}

/** Between the tabs of this browser. */
export interface Locks {
  /** Runs while nobody else holds or shares `name`. */
  hold<T>(name: string, run: () => Promise<T>): Promise<T>;
  /** Runs while nobody holds `name`; beside others that share it. */
  share<T>(name: string, run: () => Promise<T>): Promise<T>;
  /** Holds `name` and runs, unless somebody holds or shares it. @returns whether it ran */
  attempt(name: string, run: () => Promise<void>): Promise<boolean>;
}

/** @throws LoadError `no-storage` where the browser keeps no files for this page */
export async function openPrivateFolder(name: string): Promise<Folder> {
  try {
    const root = await navigator.storage.getDirectory();
    return (await root.getDirectoryHandle(name, { create: true })) as Folder;
  } catch (error) {
    const message =
      'This browser keeps no files for this page (a private window, blocked storage, or a page without https), so that a converted model has no place. Open the page in an ordinary window over https.';
    throw new LoadError('no-storage', message, false, { cause: error });
  }
}

export function browserLocks(): Locks {
  const locks = navigator.locks as LockManager | undefined;
  if (!locks) {
    const alone = <T>(_: string, run: () => Promise<T>): Promise<T> => run();
    return { hold: alone, share: alone, attempt: (_, run) => run().then(() => true) };
  }
  return {
    hold: async (name, run) => locks.request(name, run),
    share: async (name, run) => locks.request(name, { mode: 'shared' }, run),
    attempt: async (name, run) =>
      locks.request(name, { ifAvailable: true }, async (lock) => {
        if (lock) await run();
        return lock !== null;
      }),
  };
}

/** Writes a file as a whole. @throws what the browser throws: QuotaExceededError where there is no room */
export async function writeFile(folder: Folder, name: string, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
  const file = await folder.getFileHandle(name, { create: true });
  const handle = await file.createSyncAccessHandle();
  try {
    handle.truncate(0);
    for (let at = 0; at < bytes.length; ) {
      const written = handle.write(bytes.subarray(at), { at });
      if (written <= 0) throw new DOMException('The disk took no more bytes.', 'QuotaExceededError');
      at += written;
    }
    handle.flush();
  } finally {
    handle.close();
  }
}

export const writeText = (folder: Folder, name: string, text: string): Promise<void> =>
  writeFile(folder, name, new TextEncoder().encode(text));

/** A file's bytes, or null where there is none. */
export async function readBlob(folder: Folder, name: string): Promise<Blob | null> {
  return orNull(async () => (await folder.getFileHandle(name)).getFile());
}

export function subfolder(folder: Folder, name: string): Promise<Folder | null> {
  return orNull(() => folder.getDirectoryHandle(name));
}

async function orNull<T>(run: () => Promise<T>): Promise<T | null> {
  try {
    return await run();
  } catch (error) {
    if (isNamed(error, 'NotFoundError')) return null;
    throw error;
  }
}

/** Removes a file or a folder with all that is in it; nothing where there is none. */
export async function remove(folder: Folder, name: string): Promise<void> {
  await orNull(() => folder.removeEntry(name, { recursive: true }));
}

export function isNamed(error: unknown, name: string): boolean {
  return typeof error === 'object' && error !== null && 'name' in error && error.name === name;
}
