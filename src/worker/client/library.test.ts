// Conversions beside the engine: a worker of their own, for as long as they have work.
import { beforeEach, expect, it } from 'vitest';
import type { Inspection, ModelEntry } from '../protocol';
import { EngineClient, LibraryClient } from '.';
import { FakeWorker } from './testing/fakeWorker';

let engineWorkers: FakeWorker[];
let conversionWorkers: FakeWorker[];
let library: LibraryClient;

const startedIn = (list: FakeWorker[]) => () => {
  const worker = new FakeWorker();
  list.push(worker);
  return worker;
};
const only = (workers: readonly FakeWorker[]): FakeWorker => {
  const [worker, ...others] = workers;
  if (!worker || others.length > 0) throw new Error(`${workers.length} workers were started`);
  return worker;
};

beforeEach(() => {
  [engineWorkers, conversionWorkers] = [[], []];
  library = new LibraryClient(
    new EngineClient(startedIn(engineWorkers)).connection,
    startedIn(conversionWorkers),
  );
});

const WISH = { quantization: 'int8', answers: {} } as const;
const MODEL = { name: 'mine' } as ModelEntry;

it('converts in a worker that the engine does not use, and ends it when the last job has ended', async () => {
  const seen: number[] = [];
  const conversion = library.convert([], WISH, { onProgress: (done) => seen.push(done) });
  const { job } = await only(conversionWorkers).newest('convert');
  const inspection = library.inspect([], WISH, null);
  only(conversionWorkers).say({ type: 'convertProgress', job, doneBytes: 5, totalBytes: 9 });
  only(conversionWorkers).say({ type: 'converted', job, model: MODEL, report: 'done' });
  expect(await conversion).toEqual({ model: MODEL, report: 'done' });
  expect(seen).toEqual([5]);
  expect(only(conversionWorkers).terminated).toBe(false);
  const second = await only(conversionWorkers).newest('inspect');
  const found: Inspection = { kind: 'needs', needs: [] };
  only(conversionWorkers).say({ type: 'inspected', job: second.job, inspection: found });
  expect(await inspection).toBe(found);
  expect(only(conversionWorkers).terminated).toBe(true);
  expect(engineWorkers).toEqual([]);
});

it('stops a conversion, and starts afresh for the next one', async () => {
  const abort = new AbortController();
  const conversion = library.convert([], WISH, { signal: abort.signal });
  const { job } = await only(conversionWorkers).newest('convert');
  abort.abort();
  expect(await only(conversionWorkers).newest('cancel')).toEqual({ type: 'cancel', job });
  only(conversionWorkers).say({ type: 'cancelled', job });
  await expect(conversion).rejects.toMatchObject({ name: 'AbortError' });
  void library.inspect([], WISH, null);
  expect(conversionWorkers).toHaveLength(2);
});

it('says that nothing was kept when the worker dies, and leaves the engine alone', async () => {
  const listing = library.models(['https://example.test/manifest.json']);
  const conversion = library.convert([], WISH);
  only(conversionWorkers).crash('boom');
  await expect(conversion).rejects.toThrow(/Nothing of it was kept.*boom/);
  const { job } = await only(engineWorkers).newest('models');
  only(engineWorkers).say({ type: 'models', job, own: [null], kept: [], storage: null });
  expect((await listing).kept).toEqual([]);
});
