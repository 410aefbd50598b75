/** Stand-ins for the browser's private file system and for locks between tabs. */
import type { Folder, Locks, StoredFile } from '../library/folder';

/** What all folders of one disk may hold together, in bytes. */
export interface FakeDisk {
  quota: number;
}

export class FakeFolder implements Folder {
  readonly files = new Map<string, Uint8Array<ArrayBuffer>>();
  readonly folders = new Map<string, FakeFolder>();

  constructor(
    private readonly disk: FakeDisk = { quota: Number.POSITIVE_INFINITY },
    private readonly root?: FakeFolder,
  ) {}

  async getDirectoryHandle(name: string, options?: { create?: boolean }): Promise<FakeFolder> {
    const found = this.folders.get(name);
    if (found) return found;
    if (!options?.create) throw new DOMException(name, 'NotFoundError');
    const made = new FakeFolder(this.disk, this.root ?? this);
    this.folders.set(name, made);
    return made;
  }

  async getFileHandle(name: string, options?: { create?: boolean }): Promise<StoredFile> {
    if (!this.files.has(name)) {
      if (!options?.create) throw new DOMException(name, 'NotFoundError');
      this.files.set(name, new Uint8Array());
    }
    return {
      getFile: async () => new Blob([this.files.get(name) ?? new Uint8Array()]),
      createSyncAccessHandle: async () => ({
        write: (bytes, { at }) => this.write(name, bytes, at),
        truncate: (size) =>
          void this.files.set(name, (this.files.get(name) ?? new Uint8Array()).slice(0, size)),
        flush: () => undefined,
        close: () => undefined,
      }),
    };
  }

  async removeEntry(name: string): Promise<void> {
    const gone = this.files.delete(name) || this.folders.delete(name);
    if (!gone) throw new DOMException(name, 'NotFoundError');
  }

  async *entries(): AsyncGenerator<[string, { kind: 'file' | 'directory' }]> {
    for (const name of [...this.files.keys()]) yield [name, { kind: 'file' }];
    for (const name of [...this.folders.keys()]) yield [name, { kind: 'directory' }];
  }

  /** Bytes of all files in it and below. */
  size(): number {
    const own = [...this.files.values()].reduce((sum, bytes) => sum + bytes.length, 0);
    return [...this.folders.values()].reduce((sum, folder) => sum + folder.size(), own);
  }

  private write(name: string, bytes: Uint8Array<ArrayBuffer>, at: number): number {
    const before = this.files.get(name) ?? new Uint8Array();
    const after = new Uint8Array(Math.max(before.length, at + bytes.length));
    after.set(before);
    after.set(bytes, at);
    if ((this.root ?? this).size() + after.length - before.length > this.disk.quota) {
      throw new DOMException('No room.', 'QuotaExceededError');
    }
    this.files.set(name, after);
    return bytes.length;
  }
}

export class FakeLocks implements Locks {
  /** How many share each name; Infinity where one holds it. */
  private readonly users = new Map<string, number>();

  hold<T>(name: string, run: () => Promise<T>): Promise<T> {
    return this.take(name, Number.POSITIVE_INFINITY, run);
  }

  share<T>(name: string, run: () => Promise<T>): Promise<T> {
    return this.take(name, 1, run);
  }

  async attempt(name: string, run: () => Promise<void>): Promise<boolean> {
    if (this.users.has(name)) return false;
    await this.hold(name, run);
    return true;
  }

  private async take<T>(name: string, weight: number, run: () => Promise<T>): Promise<T> {
    for (;;) {
      const users = this.users.get(name) ?? 0;
      if (users === 0 || (weight === 1 && Number.isFinite(users))) break;
      await new Promise((resolve) => setTimeout(resolve));
    }
    this.users.set(name, (this.users.get(name) ?? 0) + weight);
    try {
      return await run();
    } finally {
      const rest = weight === 1 ? (this.users.get(name) ?? 1) - 1 : 0;
      if (rest > 0) this.users.set(name, rest);
      else this.users.delete(name);
    }
  }
}
