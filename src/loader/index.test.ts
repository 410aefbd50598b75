import { beforeEach, describe, expect, it } from 'vitest';
import { openWeightCache } from './cache';
import { loadWeights, type WeightProgress } from './index';
import { SMALL_MODEL, SMALL_TENSORS } from './testing/models';
import { digest, type PackedModel, packModel } from './testing/pack';
import { FakeCache, type FakeHost, fakeHost } from './testing/storage';

const URL_OF_MODEL = 'https://example.test/manifest.json';
const DAY = 24 * 3600 * 1000;

let packed: PackedModel;
let host: FakeHost;
let storage: FakeCache;
let time: number;

/** A static host with the model in `folder`, which ends in "/" unless it is empty. */
function serve(model: PackedModel, folder = ''): FakeHost {
  const files = new Map([['manifest.json', new TextEncoder().encode(model.manifest)], ...model.files]);
  return fakeHost(new Map([...files].map(([name, bytes]) => [folder + name, bytes])));
}

beforeEach(() => {
  packed = packModel(SMALL_TENSORS, { name: 'small', model: SMALL_MODEL, shardBytes: 36 });
  host = serve(packed);
  storage = new FakeCache();
  time = 1e12;
});

async function load(more: { signal?: AbortSignal; progress?: WeightProgress[] } = {}, url = URL_OF_MODEL) {
  const cache = await openWeightCache({ open: async () => storage }, () => time);
  const onProgress = (progress: WeightProgress) => more.progress?.push(progress);
  return loadWeights(url, {
    fetch: host.fetch,
    cache,
    onProgress,
    ...(more.signal ? { signal: more.signal } : {}),
  });
}

const hashesOf = (model: PackedModel) => [...model.files.values()].map((bytes) => digest(bytes)).sort();
const shard = (i: number) => packed.files.get(`shard-${i}.bin`) ?? new Uint8Array();

describe('loadWeights', () => {
  it('says the total before the first shard is asked for, and counts up to it', async () => {
    const progress: WeightProgress[] = [];
    host.intercept = (path) => {
      if (path.startsWith('shard')) expect(progress.length).toBeGreaterThan(0);
      return null;
    };
    await load({ progress });
    const total = [...packed.files.values()].reduce((sum, bytes) => sum + bytes.length, 0);
    expect(progress[0]).toEqual({ loadedBytes: 0, totalBytes: total, fromCache: true });
    expect(progress.at(-1)).toEqual({ loadedBytes: total, totalBytes: total, fromCache: false });
  });

  it('keeps verified shards by hash and asks for none of them again', async () => {
    await load();
    expect(storage.shards().sort()).toEqual(hashesOf(packed));
    host.requests.length = 0;
    const progress: WeightProgress[] = [];
    await load({ progress });
    expect(host.requests).toEqual(['manifest.json no-cache']);
    expect(progress.at(-1)?.fromCache).toBe(true);
  });

  it('loads without any network once everything is kept', async () => {
    await load();
    host.intercept = () => {
      throw new TypeError('Failed to fetch');
    };
    const weights = await load();
    expect(weights.manifest.name).toBe('small');
  });

  it.each<[string, () => Uint8Array<ArrayBuffer>]>([
    ['truncated', () => shard(0).slice(0, 8)],
    ['too long', () => Uint8Array.from([...shard(0), 0])],
    ['bit-flipped', () => shard(0).map((byte, i) => (i === 5 ? byte ^ 1 : byte))],
  ])('fetches a %s shard once more past the HTTP cache, and goes on', async (_, broken) => {
    host.intercept = (path, init) =>
      path === 'shard-0.bin' && init.cache !== 'reload' ? new Response(broken()) : null;
    await load();
    expect(host.requests.filter((request) => request.startsWith('shard-0'))).toEqual([
      'shard-0.bin default',
      'shard-0.bin reload',
    ]);
  });

  it.each<[string, () => Response, string, string]>([
    ['stays truncated', () => new Response(shard(0).slice(0, 8)), 'shard-corrupt', '8 bytes arrived and 36'],
    ['stays bit-flipped', () => new Response(shard(0).map((byte) => byte ^ 1)), 'shard-corrupt', 'SHA-256'],
    [
      'is a web page',
      () => new Response('<!doctype html>', { headers: { 'content-type': 'text/html; charset=utf-8' } }),
      'shard-corrupt',
      'web page',
    ],
    [
      'is missing',
      () => new Response('', { status: 404, statusText: 'Not Found' }),
      'network',
      '404 Not Found',
    ],
  ])('fails when a shard %s, keeping nothing of it', async (_, answer, code, words) => {
    host.intercept = (path) => (path === 'shard-0.bin' ? answer() : null);
    await expect(load()).rejects.toMatchObject({
      code,
      retry: true,
      message: expect.stringContaining(words),
    });
    expect(storage.shards()).not.toContain(digest(shard(0)));
    host.intercept = null;
    await expect(load()).resolves.toBeDefined();
  });

  it('fails with a sentence when the connection breaks in the middle', async () => {
    const broken = () => {
      let sent = false;
      return new ReadableStream<Uint8Array>({
        pull(controller) {
          if (sent) controller.error(new TypeError('network error'));
          else controller.enqueue(new Uint8Array(4));
          sent = true;
        },
      });
    };
    host.intercept = (path) => (path === 'shard-1.bin' ? new Response(broken()) : null);
    await expect(load()).rejects.toMatchObject({ code: 'network', retry: true });
  });

  it('does not believe the cache: a spoilt entry is dropped and fetched again', async () => {
    await load();
    const hash = digest(shard(1));
    const entry = [...storage.entries].find(([url]) => url.endsWith(hash));
    entry?.[1].bytes.fill(7);
    host.requests.length = 0;
    await load();
    expect(host.requests).toContain('shard-1.bin default');
    expect(digest([...storage.entries].find(([url]) => url.endsWith(hash))?.[1].bytes ?? '')).toBe(hash);
  });

  it('works when storage refuses everything', async () => {
    storage.quota = 0;
    const weights = await load();
    expect(weights.manifest.shards).toHaveLength(3);
    expect(storage.entries.size).toBe(0);
  });

  it('works in memory when storage may not be opened', async () => {
    const blocked = { open: () => Promise.reject(new DOMException('Blocked.', 'SecurityError')) };
    const options = () => ({ fetch: host.fetch });
    await loadWeights(URL_OF_MODEL, { ...options(), cache: await openWeightCache(blocked) });
    host.requests.length = 0;
    await loadWeights(URL_OF_MODEL, { ...options(), cache: await openWeightCache(blocked) });
    expect(host.requests).toEqual(['manifest.json no-cache']);
  });

  it('stops when aborted, with the reason of the signal', async () => {
    const controller = new AbortController();
    host.intercept = (path) => {
      if (path === 'shard-0.bin') controller.abort(new DOMException('Stopped.', 'AbortError'));
      return null;
    };
    await expect(load({ signal: controller.signal })).rejects.toMatchObject({ name: 'AbortError' });
    await expect(load()).resolves.toBeDefined();
  });
});

describe('eviction', () => {
  const other = () =>
    packModel([{ name: 'x', shape: [9], values: new Float32Array(9).fill(2), dtype: 'float32' }], {
      name: 'other',
      model: SMALL_MODEL,
    });
  const OTHER_URL = 'https://example.test/other/manifest.json';

  it('drops the shards of weights that were replaced at the same address', async () => {
    await load();
    packed = other();
    host = serve(packed);
    await load();
    expect(storage.shards()).toEqual(hashesOf(packed));
  });

  it('keeps another model until it was unused for two months', async () => {
    await load();
    host = serve(other(), 'other/');
    await load({}, OTHER_URL);
    expect(storage.shards()).toHaveLength(4);
    time += 61 * DAY;
    await load({}, OTHER_URL);
    expect(storage.shards()).toEqual(hashesOf(other()));
  });

  it('makes room for a model when the quota is reached', async () => {
    await load();
    time += 2 * DAY;
    const used = [...storage.entries.values()].reduce((sum, entry) => sum + entry.bytes.length, 0);
    const replacement = other();
    storage.quota = used + replacement.manifest.length + 10;
    host = serve(replacement, 'other/');
    await load({}, OTHER_URL);
    expect(storage.shards()).toEqual(hashesOf(replacement));
  });
});
