/**
 * A folder that a converted model is written to. It is written beside its place under another name and moved there
 * once it is whole, so that nothing half-made ever lies under the name itself.
 */
import { existsSync } from 'node:fs';
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { ModelSink } from '../src/loader/convert';

export class FolderSink implements ModelSink {
  private constructor(
    private readonly folder: string,
    private readonly partial: string,
  ) {}

  static async create(folder: string): Promise<FolderSink> {
    await mkdir(dirname(folder), { recursive: true });
    const partial = `${folder}.partial-${process.pid}`;
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
