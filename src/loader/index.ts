/**
 * From a manifest's address to weights that are verified and ready to upload: cache first, then the network.
 * Chooses no backend and builds no model.
 */
import { openWeightCache, type WeightCache } from './cache';
import { StoredWeights } from './dequantize';
import { LoadError } from './errors';
import { bytesOf, type Manifest, parseManifest, type ShardEntry } from './manifest';
import { sha256 } from './sha256';
import { type Fetch, fetchShard, readManifestText, request } from './shards';

export type { WeightCache } from './cache';
export { StoredWeights } from './dequantize';
export { LoadError, type LoadErrorCode } from './errors';
export { bytesOf, type Manifest, parseManifest } from './manifest';

export interface WeightProgress {
  /** Verified or on their way. */
  readonly loadedBytes: number;
  /** Known before the first shard is fetched. */
  readonly totalBytes: number;
  /** True as long as every byte so far came from the cache. */
  readonly fromCache: boolean;
}

export interface LoadWeightsOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: (progress: WeightProgress) => void;
  /** Called before the first shard is fetched; what it throws ends the loading. */
  readonly onManifest?: (manifest: Manifest) => void;
  /** Stand-ins for tests. */
  readonly fetch?: Fetch;
  readonly cache?: WeightCache;
}

/** Shards under way at once; more gain nothing over one connection. */
const PARALLEL_SHARDS = 3;

/**
 * @param manifestUrl absolute, or relative to the page
 * @throws LoadError; the signal's reason once aborted. Nothing unverified is ever kept.
 */
export async function loadWeights(
  manifestUrl: string,
  options: LoadWeightsOptions = {},
): Promise<StoredWeights> {
  const fetch = options.fetch ?? ((url, init) => globalThis.fetch(url, init));
  const cache = options.cache ?? (await openWeightCache());
  const { signal, onProgress } = options;
  signal?.throwIfAborted();
  const { manifest, text } = await loadManifest(manifestUrl, fetch, cache, signal);
  options.onManifest?.(manifest);
  const hashes = manifest.shards.map((shard) => shard.sha256);
  // Before the shards, so that another tab's eviction spares them.
  await cache.keepManifest(manifestUrl, text, hashes);

  const progress = new Progress(manifest, onProgress);
  const buffers = new Array<ArrayBuffer | null>(manifest.shards.length).fill(null);
  const queue = [...manifest.shards.entries()];
  const failure = new AbortController();
  const anySignal = signal ? AbortSignal.any([signal, failure.signal]) : failure.signal;
  const worker = async () => {
    for (let next = queue.shift(); next; next = queue.shift()) {
      const [i, shard] = next;
      const source = { url: shardUrl(shard, manifestUrl), fetch, cache, signal: anySignal };
      buffers[i] = await loadShard(shard, source, (bytes, cached) => progress.set(i, bytes, cached));
    }
  };
  try {
    await Promise.all(Array.from({ length: PARALLEL_SHARDS }, worker));
  } catch (error) {
    failure.abort(error); // The other shards need not go on.
    throw error;
  }
  await cache.evict(manifestUrl);
  return new StoredWeights(manifest, buffers);
}

function shardUrl(shard: ShardEntry, manifestUrl: string): string {
  const base = typeof location === 'undefined' ? undefined : location.href;
  return new URL(shard.file, new URL(manifestUrl, base)).href;
}

/**
 * The manifest alone: what a model is, before its weights are wanted.
 * @throws LoadError; the signal's reason once aborted
 */
export async function fetchManifest(url: string, signal?: AbortSignal): Promise<Manifest> {
  const fetch: Fetch = (address, init) => globalThis.fetch(address, init);
  return (await loadManifest(url, fetch, await openWeightCache(), signal)).manifest;
}

/** From the network, revalidated; the last good one where the network fails. */
async function loadManifest(
  url: string,
  fetch: Fetch,
  cache: WeightCache,
  signal: AbortSignal | undefined,
): Promise<{ manifest: Manifest; text: string }> {
  let text: string;
  try {
    const response = await request(url, { signal: signal ?? null, cache: 'no-cache' }, fetch);
    text = await readManifestText(response, url, signal);
  } catch (error) {
    if (!(error instanceof LoadError)) throw error;
    const kept = await cache.manifest(url);
    if (kept === null) throw error;
    text = kept;
  }
  return { manifest: await parseManifest(text, url), text };
}

interface ShardSource {
  readonly url: string;
  readonly fetch: Fetch;
  readonly cache: WeightCache;
  readonly signal: AbortSignal;
}

async function loadShard(
  shard: ShardEntry,
  { url, fetch, cache, signal }: ShardSource,
  onBytes: (bytes: number, cached: boolean) => void,
): Promise<ArrayBuffer> {
  signal.throwIfAborted();
  const kept = await cache.shard(shard.sha256);
  if (kept) {
    if ((await sha256(kept)) === shard.sha256) {
      onBytes(shard.bytes, true);
      return kept.buffer;
    }
    await cache.dropShard(shard.sha256);
  }
  const bytes = await fetchShard(url, shard, { fetch, signal, onBytes: (count) => onBytes(count, false) });
  await cache.keepShard(shard.sha256, bytes);
  return bytes.buffer;
}

/** Sums the shards' bytes and reports them. */
class Progress {
  private readonly loaded: number[];
  private readonly total: number;
  private fromCache = true;

  constructor(
    manifest: Manifest,
    private readonly report: ((progress: WeightProgress) => void) | undefined,
  ) {
    this.loaded = manifest.shards.map(() => 0);
    this.total = bytesOf(manifest);
    this.emit();
  }

  set(shard: number, bytes: number, cached: boolean): void {
    this.loaded[shard] = bytes;
    if (!cached) this.fromCache = false;
    this.emit();
  }

  private emit(): void {
    const loadedBytes = this.loaded.reduce((sum, bytes) => sum + bytes, 0);
    this.report?.({ loadedBytes, totalBytes: this.total, fromCache: this.fromCache });
  }
}
