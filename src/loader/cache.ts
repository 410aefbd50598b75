/**
 * Verified shards, kept between visits by their SHA-256, and the newest manifest of each address. The Cache API
 * where the page may use it, else the worker's memory. Nothing here is trusted: readers hash what they get.
 *
 * Keeping is a convenience, so that no trouble with storage (quota, private windows, blocked cookies) is an error.
 */

/** The part of the Cache API that is used. */
export interface CacheLike {
  match(url: string): Promise<Response | undefined>;
  put(url: string, response: Response): Promise<void>;
  delete(url: string): Promise<boolean>;
  keys(): Promise<readonly { readonly url: string }[]>;
}

export interface WeightCache {
  /** The bytes once stored under this hash, unverified, or null. */
  shard(hash: string): Promise<Uint8Array<ArrayBuffer> | null>;
  /** Call only with bytes whose SHA-256 is `hash`. @returns whether they were kept */
  keepShard(hash: string, bytes: Uint8Array<ArrayBuffer>): Promise<boolean>;
  dropShard(hash: string): Promise<void>;
  /** The manifest last kept for this address, for visits without a network. */
  manifest(url: string): Promise<string | null>;
  /** Remembers which shards the model at `url` needs, and that it was used now. */
  keepManifest(url: string, text: string, shards: readonly string[]): Promise<void>;
  /** Drops shards that no remembered model needs, and models unused for two months. */
  evict(currentUrl: string): Promise<void>;
}

const CACHE_NAME = 'mebt-weights-1';
/** Keys only; `.invalid` is reserved (RFC 2606), so that nothing can ever be fetched from there. */
const SHARD_KEY = 'https://weights.invalid/shard/';
const MANIFEST_KEY = 'https://weights.invalid/manifest/';
const USED_HEADER = 'x-used';
const SHARDS_HEADER = 'x-shards';
const UNUSED_LIMIT_MS = 60 * 24 * 3600 * 1000;

/** @param storage the Cache API; by default this page's own, and memory where it has none */
export async function openWeightCache(
  storage: { open(name: string): Promise<CacheLike> } | undefined = globalThis.caches,
  now: () => number = Date.now,
): Promise<WeightCache> {
  try {
    if (storage) return new StoredCache(await storage.open(CACHE_NAME), now);
  } catch {
    // SecurityError: storage is blocked for this page.
  }
  return new StoredCache(memory, now);
}

class MemoryCache implements CacheLike {
  private readonly entries = new Map<string, Response>();
  async match(url: string): Promise<Response | undefined> {
    return this.entries.get(url)?.clone();
  }
  async put(url: string, response: Response): Promise<void> {
    this.entries.set(url, response);
  }
  async delete(url: string): Promise<boolean> {
    return this.entries.delete(url);
  }
  async keys(): Promise<{ url: string }[]> {
    return [...this.entries.keys()].map((url) => ({ url }));
  }
}

/** Lives as long as the worker: an engine that is rebuilt finds its shards here. */
const memory = new MemoryCache();

/** Runs something that may fail for reasons of storage, and goes on without it. */
async function orElse<T>(fallback: T, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch {
    return fallback;
  }
}

class StoredCache implements WeightCache {
  constructor(
    private readonly cache: CacheLike,
    private readonly now: () => number,
  ) {}

  shard(hash: string): Promise<Uint8Array<ArrayBuffer> | null> {
    return orElse(null, async () => {
      const found = await this.cache.match(SHARD_KEY + hash);
      return found ? new Uint8Array(await found.arrayBuffer()) : null;
    });
  }

  async keepShard(hash: string, bytes: Uint8Array<ArrayBuffer>): Promise<boolean> {
    const put = async () => {
      await this.cache.put(SHARD_KEY + hash, new Response(bytes));
      return true;
    };
    if (await orElse(false, put)) return true;
    // Most likely QuotaExceededError: make room by dropping every model but the ones just used.
    await orElse(undefined, () => this.sweep(24 * 3600 * 1000));
    return orElse(false, put);
  }

  async dropShard(hash: string): Promise<void> {
    await orElse(false, () => this.cache.delete(SHARD_KEY + hash));
  }

  manifest(url: string): Promise<string | null> {
    return orElse(null, async () => (await this.cache.match(manifestKey(url)))?.text() ?? null);
  }

  async keepManifest(url: string, text: string, shards: readonly string[]): Promise<void> {
    const headers = { [USED_HEADER]: String(this.now()), [SHARDS_HEADER]: shards.join(' ') };
    await orElse(undefined, () => this.cache.put(manifestKey(url), new Response(text, { headers })));
  }

  async evict(currentUrl: string): Promise<void> {
    await orElse(undefined, () => this.sweep(UNUSED_LIMIT_MS, manifestKey(currentUrl)));
  }

  /** Forgets models unused for longer than `limit` ms, then drops every shard that none of the rest names. */
  private async sweep(limit: number, spared?: string): Promise<void> {
    const needed = new Set<string>();
    const keys = (await this.cache.keys()).map((request) => request.url);
    for (const key of keys.filter((url) => url.startsWith(MANIFEST_KEY))) {
      const entry = await this.cache.match(key);
      const unusedFor = this.now() - Number(entry?.headers.get(USED_HEADER) ?? 0);
      if (key !== spared && unusedFor > limit) await this.cache.delete(key);
      else for (const hash of entry?.headers.get(SHARDS_HEADER)?.split(' ') ?? []) needed.add(hash);
    }
    for (const key of keys.filter((url) => url.startsWith(SHARD_KEY))) {
      if (!needed.has(key.slice(SHARD_KEY.length))) await this.cache.delete(key);
    }
  }
}

function manifestKey(url: string): string {
  return MANIFEST_KEY + encodeURIComponent(url);
}
