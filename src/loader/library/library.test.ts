// Converted models on this machine: whole or not there at all.
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
import { beforeEach, describe, expect, it } from 'vitest';
import { loadWeights } from '../index';
import { FakeFolder, FakeLocks } from '../testing/fakeFolder';
import { SMALL_MODEL, SMALL_TENSORS } from '../testing/models';
import { type PackedModel, packModel } from '../testing/pack';
import { keptSource } from './keptSource';
import { Library, type Shelf } from './library';

const disk = { quota: Number.POSITIVE_INFINITY };
let root: FakeFolder;
let locks: FakeLocks;
let library: Library;

beforeEach(async () => {
  disk.quota = Number.POSITIVE_INFINITY;
  root = new FakeFolder(disk);
  locks = new FakeLocks();
  library = new Library(root, locks);
  await tf.setBackend('cpu');
});

const pack = (name: string) => packModel(SMALL_TENSORS, { name, model: SMALL_MODEL, shardBytes: 36 });

async function putOn(shelf: Shelf, model: PackedModel): Promise<void> {
  for (const [file, bytes] of model.files) await shelf.shard(file, bytes);
  await shelf.report('all went well');
  await shelf.manifest(model.manifest);
}

const keep = (model: PackedModel) => library.keep((shelf) => putOn(shelf, model));
const load = async (hash: string) => {
  const { url, ...source } = await keptSource(library, hash);
  return loadWeights(url, source);
};

describe('a model that is kept', () => {
  it('is listed, loads through the verifying loader, and leaves nothing when removed', async () => {
    const { hash } = await keep(pack('one'));
    const [kept, ...others] = await library.list();
    expect(others).toEqual([]);
    expect(kept?.manifest).toMatchObject({ name: 'one', sha256: hash });
    const weights = await load(hash);
    const tensor = weights.tensor('d.float', [7]);
    expect([...(await tensor.data())]).toEqual([...(SMALL_TENSORS[3]?.values ?? [])]);
    expect(await library.report(hash)).toBe('all went well');

    const before = root.size();
    expect(await library.remove(hash)).toBeGreaterThan(0);
    expect(before).toBeGreaterThan(0);
    expect(root.size()).toBe(0);
    expect(await library.list()).toEqual([]);
  });

  it('is replaced when it is converted again, and never kept twice', async () => {
    const first = await keep(pack('one'));
    const size = root.size();
    const second = await keep(pack('one'));
    expect(second.hash).toBe(first.hash);
    expect(root.size()).toBe(size);
    expect(await library.list()).toHaveLength(1);
  });

  it('is refused with advice when a shard was damaged or lost', async () => {
    const { hash } = await keep(pack('one'));
    const folder = [...root.folders.values()][0];
    const bytes = folder?.files.get('shard-1.bin');
    if (!bytes) throw new Error('there is no second shard');
    bytes[0] = (bytes[0] ?? 0) ^ 1;
    await expect(load(hash)).rejects.toMatchObject({
      code: 'shard-corrupt',
      message: expect.stringMatching(/Remove it under Models/),
    });
    folder?.files.delete('shard-1.bin');
    await expect(load(hash)).rejects.toMatchObject({ code: 'shard-corrupt' });
  });

  it('is not there for a hash of another machine, nor for a record that names another model', async () => {
    await expect(load('0'.repeat(64))).rejects.toMatchObject({ code: 'not-kept' });
    const { hash } = await keep(pack('one'));
    const record = root.files.get(`${hash}.json`);
    if (!record) throw new Error('there is no record');
    root.files.set(`${'0'.repeat(64)}.json`, record);
    await expect(load('0'.repeat(64))).rejects.toMatchObject({ code: 'not-kept' });
  });
});

describe('two tabs', () => {
  const otherTab = () => new Library(root, locks);

  it('convert one after the other: the second is told so, and nothing of it is there', async () => {
    await library.keep(async (shelf) => {
      const second = otherTab().keep((other) => putOn(other, pack('two')));
      await expect(second).rejects.toMatchObject({ code: 'busy', message: expect.stringMatching(/tab/) });
      await putOn(shelf, pack('one'));
    });
    expect((await library.list()).map(({ manifest }) => manifest.name)).toEqual(['one']);
    expect(root.folders.size).toBe(1);
  });

  it('do not take a model from one another while it is loaded', async () => {
    const { hash } = await keep(pack('one'));
    await library.use(hash, async () => {
      await expect(otherTab().remove(hash)).rejects.toMatchObject({ code: 'busy' });
      await otherTab().keep((shelf) => putOn(shelf, pack('one'))); // The same, converted again.
      expect(root.folders.size).toBe(2);
    });
    await otherTab().tidy();
    expect(root.folders.size).toBe(1);
    await expect(load(hash)).resolves.toBeDefined();
    expect(await otherTab().remove(hash)).toBeGreaterThan(0);
    await expect(library.use(hash, () => load(hash))).rejects.toMatchObject({ code: 'not-kept' });
  });

  it('see whole models only, whatever each of them does at once', async () => {
    const models = ['a', 'b', 'c'].map(pack);
    const tabs = models.map(otherTab);
    const work = tabs.map(async (tab, i) => {
      for (let round = 0; round < 6; round++) {
        const model = models[(i + round) % 3];
        const kept = model && (await tab.keep((shelf) => putOn(shelf, model)).catch(() => null));
        await tab.tidy();
        for (const { manifest } of await tab.list()) {
          const { sha256 } = manifest;
          const loaded = tab.use(sha256, () => load(sha256)).catch((error) => error);
          // Removed since it was listed, or whole.
          expect(await loaded).toMatchObject((await loaded) instanceof Error ? { code: 'not-kept' } : {});
        }
        if (kept && round % 2 === 1) await tab.remove(kept.hash).catch(() => 0);
      }
    });
    await Promise.all(work);
    await library.tidy();
    expect(root.folders.size).toBe((await library.list()).length);
    expect(root.files.size).toBe(root.folders.size);
  });
});

describe('a conversion that does not end', () => {
  it('leaves nothing when it throws, at any point', async () => {
    const model = pack('one');
    for (let stopAt = 0; stopAt < model.files.size + 2; stopAt++) {
      let writes = 0;
      const unlessStopped = async (write: () => Promise<void>) => {
        if (writes++ === stopAt) throw new DOMException('Stopped.', 'AbortError');
        await write();
      };
      const run = library.keep(async (shelf) => {
        await putOn(
          {
            shard: (...given) => unlessStopped(() => shelf.shard(...given)),
            report: (text) => unlessStopped(() => shelf.report(text)),
            manifest: (text) => unlessStopped(() => shelf.manifest(text)),
          },
          model,
        );
      });
      await expect(run).rejects.toMatchObject({ name: 'AbortError' });
      expect(root.size()).toBe(0);
      expect(root.folders.size).toBe(0);
    }
  });

  it('is no model when the browser was closed in the middle, and is cleaned up at the next look', async () => {
    const kept = await keep(pack('whole'));
    const size = root.size();
    // All files of a model, but no record: the last write did not happen.
    const lost = await root.getDirectoryHandle('data-lost', { create: true });
    for (const [file, bytes] of pack('lost').files) lost.files.set(file, bytes);
    lost.files.set('manifest.json', new TextEncoder().encode(pack('lost').manifest));
    // A record that was cut short.
    root.files.set(`${'1'.repeat(64)}.json`, new TextEncoder().encode('{"folder": "data-lo'));
    expect((await library.list()).map(({ manifest }) => manifest.name)).toEqual(['whole']);
    await library.tidy();
    expect(root.size()).toBe(size);
    expect((await library.list()).map(({ manifest }) => manifest.sha256)).toEqual([kept.hash]);
  });

  it('is left alone by another tab while it runs', async () => {
    const otherTab = new Library(root, locks);
    await library.keep(async (shelf) => {
      const model = pack('one');
      for (const [file, bytes] of model.files) await shelf.shard(file, bytes);
      await otherTab.tidy();
      await shelf.manifest(model.manifest);
    });
    await otherTab.tidy();
    const [kept] = await library.list();
    await expect(load(kept?.manifest.sha256 ?? '')).resolves.toBeDefined();
  });

  it('says how to make room when there is none, and loses nothing', async () => {
    const kept = await keep(pack('small'));
    const size = root.size();
    disk.quota = size + 40; // One shard of the next.
    await expect(keep(pack('large'))).rejects.toMatchObject({
      code: 'storage-full',
      message: expect.stringMatching(/Nothing of it was kept/),
    });
    expect(root.size()).toBe(size);
    await expect(load(kept.hash)).resolves.toBeDefined();
  });
});
