/**
 * Converted models that are kept on this machine: one folder each, and one record that names it. The record is
 * written last, under the manifest's hash: without it a folder is a conversion that was interrupted, never taken for a
 * model, and removed at the next look (`tidy`), unless another tab is still writing it.
 *
 * Tabs share the library. One of them converts at a time; a folder is locked while it is written or loaded, and the
 * records are changed by one tab while no other looks at them.
 *
 *   <hash>.json            {"folder": "data-…"}: the record
 *   data-…/manifest.json   and the shards, as a server would have them, and report.txt
 */
import { LoadError } from '../errors';
import { bytesOf, type Manifest, parseManifest } from '../manifest';
import {
  browserLocks,
  type Folder,
  isNamed,
  type Locks,
  openPrivateFolder,
  readBlob,
  remove,
  subfolder,
  writeFile,
  writeText,
} from './folder';

const LIBRARY = 'mebt-models';
const DATA = /^data-[a-z0-9-]+$/;
const RECORD = /^([0-9a-f]{64})\.json$/;
const MANIFEST = 'manifest.json';
const REPORT = 'report.txt';

export interface Kept {
  readonly manifest: Manifest;
  /** Bytes on the disk: shards, manifest and report. */
  readonly bytes: number;
}

/** Takes a model's files as they come; `manifest` is the last. */
export interface Shelf {
  shard(file: string, bytes: Uint8Array<ArrayBuffer>): Promise<void>;
  manifest(text: string): Promise<void>;
  report(text: string): Promise<void>;
}

export class Library {
  constructor(
    private readonly folder: Folder,
    private readonly locks: Locks,
  ) {}

  /** @throws LoadError `no-storage` */
  static async open(): Promise<Library> {
    return new Library(await openPrivateFolder(LIBRARY), browserLocks());
  }

  /** Every whole model; those that cannot be read are passed over. */
  async list(): Promise<Kept[]> {
    const kept: Kept[] = [];
    await this.locks.share(RECORDS_LOCK, async () => {
      for (const hash of (await this.records()).keys()) {
        try {
          const { manifest, text } = await this.read(hash);
          kept.push({ manifest, bytes: bytesOf(manifest) + text.length });
        } catch (error) {
          if (!(error instanceof LoadError)) throw error;
        }
      }
    });
    return kept.sort((a, b) => a.manifest.name.localeCompare(b.manifest.name));
  }

  /** Removes what interrupted conversions and removals left behind. */
  async tidy(): Promise<void> {
    await this.locks.hold(RECORDS_LOCK, async () => {
      const named = new Set((await this.records()).values());
      for (const name of await this.names()) {
        // A conversion holds the lock from before its folder is there until after its record is.
        if (DATA.test(name) && !named.has(name)) await this.removeFolder(name);
      }
      for (const name of await this.names()) {
        const hash = RECORD.exec(name)?.[1];
        if (hash && !(await this.folderOf(hash))) await remove(this.folder, name);
      }
    });
  }

  /**
   * Keeps the model that `write` makes; what is there of it is removed when it throws. A model that is kept already
   * is replaced.
   * @returns the manifest's hash
   * @throws LoadError `storage-full`, or `busy` while another tab converts; whatever else `write` throws
   */
  async keep<T>(write: (shelf: Shelf) => Promise<T>): Promise<{ hash: string; result: T }> {
    let kept: { hash: string; result: T } | undefined;
    await this.locks.attempt(CONVERSION_LOCK, async () => {
      kept = await this.keepAlone(write);
    });
    if (!kept) throw otherConversion();
    return kept;
  }

  private keepAlone<T>(write: (shelf: Shelf) => Promise<T>): Promise<{ hash: string; result: T }> {
    const name = `data-${crypto.randomUUID()}`;
    return this.locks.hold(lockOf(name), async () => {
      try {
        return await this.write(name, write);
      } catch (error) {
        await remove(this.folder, name).catch(() => undefined); // Else by `tidy`.
        throw isNamed(error, 'QuotaExceededError') ? await storageFull(error) : error;
      }
    });
  }

  /** Runs while no tab may remove or replace the model's files. @throws LoadError `not-kept` */
  async use<T>(hash: string, run: () => Promise<T>): Promise<T> {
    const name = await this.locks.share(RECORDS_LOCK, async () => (await this.records()).get(hash));
    if (!name) throw notKept();
    return this.locks.share(lockOf(name), run);
  }

  /** @throws LoadError `not-kept`, or `not-a-manifest` where the files are damaged */
  async read(hash: string): Promise<{ manifest: Manifest; text: string }> {
    const folder = await this.folderOf(hash);
    const blob = folder && (await readBlob(folder, MANIFEST));
    if (!blob) throw notKept();
    const text = await blob.text();
    const manifest = await parseManifest(text, `the kept model ${hash.slice(0, 12)}…`);
    if (manifest.sha256 !== hash) throw notKept();
    return { manifest, text };
  }

  /** A shard's bytes, unverified, or null. */
  async shard(hash: string, file: string): Promise<Uint8Array<ArrayBuffer> | null> {
    const folder = await this.folderOf(hash);
    const blob = folder && (await readBlob(folder, file));
    return blob ? new Uint8Array(await blob.arrayBuffer()) : null;
  }

  /** What the conversion had to say. */
  async report(hash: string): Promise<string> {
    const folder = await this.folderOf(hash);
    const blob = folder && (await readBlob(folder, REPORT));
    if (!blob) throw notKept();
    return blob.text();
  }

  /**
   * @returns bytes that are free again; 0 where there was no such model
   * @throws LoadError `busy` while it is loaded from here
   */
  async remove(hash: string): Promise<number> {
    return this.locks.hold(RECORDS_LOCK, async () => {
      const record = `${hash}.json`;
      const name = (await this.records()).get(hash);
      let bytes = 0;
      const removeAll = async (): Promise<void> => {
        const folder = name ? await subfolder(this.folder, name) : null;
        for await (const [file] of folder?.entries() ?? []) {
          bytes += (folder && (await readBlob(folder, file))?.size) ?? 0;
        }
        await remove(this.folder, record); // First: what is left behind from here on is no model.
        if (name) await remove(this.folder, name);
      };
      if (!name) await removeAll();
      else if (!(await this.locks.attempt(lockOf(name), removeAll))) throw beingLoaded();
      return bytes;
    });
  }

  /** A folder that no record names; later, by `tidy`, where a tab still loads from it. */
  private async removeFolder(name: string): Promise<void> {
    await this.locks.attempt(lockOf(name), () => remove(this.folder, name));
  }

  private async write<T>(
    name: string,
    write: (shelf: Shelf) => Promise<T>,
  ): Promise<{ hash: string; result: T }> {
    const folder = await this.folder.getDirectoryHandle(name, { create: true });
    let hash: string | null = null;
    const result = await write({
      shard: (file, bytes) => writeFile(folder, file, bytes),
      report: (text) => writeText(folder, REPORT, text),
      manifest: async (text) => {
        hash = (await parseManifest(text, 'the conversion')).sha256;
        await writeText(folder, MANIFEST, text);
      },
    });
    if (hash === null) throw new Error('Library.keep: the model has no manifest.');
    await this.record(hash, name);
    return { hash, result };
  }

  /** From here on it is a model. */
  private async record(hash: string, name: string): Promise<void> {
    await this.locks.hold(RECORDS_LOCK, async () => {
      const before = (await this.records()).get(hash);
      await writeText(this.folder, `${hash}.json`, JSON.stringify({ folder: name }));
      if (before && before !== name) await this.removeFolder(before);
    });
  }

  private async names(): Promise<string[]> {
    const names: string[] = [];
    for await (const [name] of this.folder.entries()) names.push(name);
    return names;
  }

  /** Hash to folder name, of records that can be read. */
  private async records(): Promise<Map<string, string>> {
    const records = new Map<string, string>();
    for (const name of await this.names()) {
      const hash = RECORD.exec(name)?.[1];
      const folder = hash && folderNamed(await (await readBlob(this.folder, name))?.text());
      if (hash && folder) records.set(hash, folder);
    }
    return records;
  }

  private async folderOf(hash: string): Promise<Folder | null> {
    const name = folderNamed(await (await readBlob(this.folder, `${hash}.json`))?.text());
    return name ? subfolder(this.folder, name) : null;
  }
}

const lockOf = (folder: string): string => `mebt-model-${folder}`;
/** Held while records are changed, and for no longer: who waits for it waits for a few small files. */
const RECORDS_LOCK = 'mebt-records';
const CONVERSION_LOCK = 'mebt-conversion';

/** A record that was cut short names nothing. */
function folderNamed(text: string | undefined): string | null {
  try {
    const record: unknown = JSON.parse(text ?? '');
    const folder = typeof record === 'object' && record !== null && 'folder' in record ? record.folder : null;
    return typeof folder === 'string' && DATA.test(folder) ? folder : null;
  } catch {
    return null;
  }
}

function notKept(): LoadError {
  const message =
    'This model is not on this machine: it was converted in another browser, or removed here. Open its checkpoint under Models, or use the page’s own model.';
  return new LoadError('not-kept', message, false);
}

function otherConversion(): LoadError {
  const message =
    'Another tab of this browser is converting a checkpoint. Wait until that has ended, or stop it there, and convert this one then.';
  return new LoadError('busy', message, true);
}

function beingLoaded(): LoadError {
  const message =
    'This model is being loaded just now, here or in another tab. Remove it when that has ended.';
  return new LoadError('busy', message, true);
}

async function storageFull(cause: unknown): Promise<LoadError> {
  const { storage } = globalThis.navigator ?? {};
  const estimate = await storage?.estimate?.().catch(() => undefined);
  const free = estimate ? Math.max(0, (estimate.quota ?? 0) - (estimate.usage ?? 0)) : null;
  const room = free === null ? '' : ` (${(free / 1e6).toFixed(1)} MB are left)`;
  const message = `There is no room for the converted model: the browser lets this page store no more${room}. Nothing of it was kept, and nothing else is lost. Remove a kept model, free space on the disk, or choose a smaller quantization.`;
  return new LoadError('storage-full', message, false, { cause });
}
