/**
 * A folder that a converted model is written to. It is written beside its place under another name and moved there
 * once it is whole, so that nothing half-made ever lies under the name itself.
 */
import { existsSync } from 'node:fs';
import { mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { ModelSink } from '../src/loader/convert';

/** Followed by the number of the process that writes. */
const PARTIAL = '.partial-';

/** What was begun by processes that were killed, which could not clean up. */
async function removeLeftovers(folder: string): Promise<void> {
  const start = basename(folder) + PARTIAL;
  for (const name of await readdir(dirname(folder))) {
    const pid = name.startsWith(start) ? name.slice(start.length) : '';
    if (/^\d+$/.test(pid) && !isRunning(Number(pid))) {
      await rm(join(dirname(folder), name), { recursive: true, force: true });
    }
  }
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'; // of somebody else
  }
}

export class FolderSink implements ModelSink {
  private constructor(
    private readonly folder: string,
    private readonly partial: string,
  ) {}

  static async create(folder: string): Promise<FolderSink> {
    await mkdir(dirname(folder), { recursive: true });
    await removeLeftovers(folder);
    const partial = `${folder}${PARTIAL}${process.pid}`;
    await rm(partial, { recursive: true, force: true });
    await mkdir(partial);
    return new FolderSink(folder, partial);
  }

  async shard(file: string, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    await writeFile(join(this.partial, file), bytes);
  }

  async manifest(text: string): Promise<void> {
    await writeFile(join(this.partial, 'manifest.json'), text);
  }

  async text(file: string, text: string): Promise<void> {
    await writeFile(join(this.partial, file), text);
  }

  /** Moves the whole to its place; what was there before goes once that has worked. */
  async finish(): Promise<void> {
    const old = `${this.partial}.old`;
    const replaces = existsSync(this.folder);
    if (replaces) await rename(this.folder, old);
    await rename(this.partial, this.folder);
    if (replaces) await rm(old, { recursive: true, force: true });
  }

  async discard(): Promise<void> {
    await rm(this.partial, { recursive: true, force: true });
  }
}
