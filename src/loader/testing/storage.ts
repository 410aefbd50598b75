/** Stand-ins for the Cache API and for a static host. */
import type { CacheLike } from '../cache';
import type { Fetch } from '../shards';

export class FakeCache implements CacheLike {
  readonly entries = new Map<string, { bytes: Uint8Array<ArrayBuffer>; headers: Headers }>();
  /** Bytes that it holds before it refuses, as browsers do. */
  quota = Number.POSITIVE_INFINITY;

  async match(url: string): Promise<Response | undefined> {
    const entry = this.entries.get(url);
    return entry && new Response(entry.bytes, { headers: entry.headers });
  }
  async put(url: string, response: Response): Promise<void> {
    const bytes = new Uint8Array(await response.arrayBuffer());
    const used = [...this.entries.values()].reduce((sum, entry) => sum + entry.bytes.length, 0);
    if (used + bytes.length > this.quota) throw new DOMException('No room.', 'QuotaExceededError');
    this.entries.set(url, { bytes, headers: response.headers });
  }
  async delete(url: string): Promise<boolean> {
    return this.entries.delete(url);
  }
  async keys(): Promise<{ url: string }[]> {
    return [...this.entries.keys()].map((url) => ({ url }));
  }

  /** Hashes of the shards held. */
  shards(): string[] {
    return [...this.entries.keys()]
      .filter((url) => url.includes('/shard/'))
      .map((url) => url.split('/').at(-1) ?? '');
  }
}

export interface FakeHost {
  readonly fetch: Fetch;
  /** Path and cache mode of every request so far. */
  readonly requests: string[];
  readonly files: Map<string, Uint8Array<ArrayBuffer>>;
  /** Answers instead of the files, when set and when it does not return null. */
  intercept: ((path: string, init: RequestInit) => Response | Promise<Response> | null) | null;
}

export function fakeHost(files: ReadonlyMap<string, Uint8Array<ArrayBuffer>>): FakeHost {
  const host: FakeHost = {
    requests: [],
    files: new Map(files),
    intercept: null,
    fetch: async (url, init) => {
      init.signal?.throwIfAborted();
      const path = new URL(url).pathname.slice(1);
      host.requests.push(`${path} ${init.cache}`);
      const answer = await host.intercept?.(path, init);
      if (answer) return answer;
      const bytes = host.files.get(path);
      return bytes
        ? new Response(bytes)
        : new Response('Not found', { status: 404, statusText: 'Not Found' });
    },
  };
  return host;
}
