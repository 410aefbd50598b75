/** Puts tensors into shards and hands each shard over as it fills: memory holds one shard and one tensor. */
import type { ByteRange, ShardEntry } from '../manifest';
import { sha256 } from '../sha256';

/** Where a converted model goes: a folder, OPFS, or memory. Nobody may take it for whole before `manifest`. */
export interface ModelSink {
  /** Called once a shard, in order. The bytes are the sink's own. */
  shard(file: string, bytes: Uint8Array<ArrayBuffer>): Promise<void>;
  /** Called last, when all shards are written. */
  manifest(text: string): Promise<void>;
}

/** Few enough requests for a model of 350 MB, and small enough to be fetched again after a failure. */
export const SHARD_BYTES = 16 * 1024 * 1024;

export class ShardWriter {
  readonly shards: ShardEntry[] = [];
  #parts: Uint8Array<ArrayBuffer>[] = [];
  #size = 0;

  constructor(
    private readonly sink: Pick<ModelSink, 'shard'>,
    private readonly most: number = SHARD_BYTES,
  ) {}

  /** A tensor never crosses the end of a shard; one that is larger than a shard gets one of its own. */
  async add(bytes: Uint8Array<ArrayBuffer>): Promise<ByteRange> {
    if (this.#size > 0 && this.#size + bytes.length > this.most) await this.flush();
    const range = { shard: this.shards.length, offset: this.#size };
    this.#parts.push(bytes);
    this.#size += 4 * Math.ceil(bytes.length / 4);
    return range;
  }

  /** Writes what has gathered. */
  async flush(): Promise<void> {
    if (this.#size === 0) return;
    const bytes = new Uint8Array(this.#size);
    let at = 0;
    for (const part of this.#parts) {
      bytes.set(part, at);
      at += 4 * Math.ceil(part.length / 4);
    }
    this.#parts = [];
    this.#size = 0;
    const hash = await sha256(bytes);
    // The hash in the name: a cache never mixes the shards of two conversions.
    const file = `shard-${this.shards.length}.${hash.slice(0, 8)}.bin`;
    this.shards.push({ file, bytes: bytes.length, sha256: hash });
    await this.sink.shard(file, bytes);
  }
}
