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
  readonly held = new Set<string>();

  async hold<T>(name: string, run: () => Promise<T>): Promise<T> {
    this.held.add(name);
    try {
      return await run();
    } finally {
      this.held.delete(name);
    }
  }

  async attempt(name: string, run: () => Promise<void>): Promise<void> {
    if (!this.held.has(name)) await this.hold(name, run);
  }
}
