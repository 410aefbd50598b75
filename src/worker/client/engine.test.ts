import { beforeEach, describe, expect, it } from 'vitest';
import { DEFAULT_COMPARISON, type FamilySummaries } from '../../config/comparison';
import type { GenerationOptions } from '../../config/generation';
import type { ClipData, ModelSummary } from '../protocol';
import { EngineClient, type GenerationEvent, JobError } from '.';
import { FakeWorker } from './testing/fakeWorker';

const MODEL = { name: 'small' } as ModelSummary;
const OPTIONS = { seed: 1, frames: 16 } as GenerationOptions;
const CLIP: ClipData = { pixels: new Uint8ClampedArray(4), frames: 1, width: 1, height: 1, frameRate: 16 };
const URL_OF_MODEL = 'https://example.test/manifest.json';

let workers: FakeWorker[];
let client: EngineClient;

beforeEach(() => {
  workers = [];
  client = new EngineClient(() => {
    const worker = new FakeWorker();
    workers.push(worker);
    return worker;
  });
});

function worker(i = 0): FakeWorker {
  const found = workers[i];
  if (!found) throw new Error(`worker ${i} was not started`);
  return found;
}

async function load(i = 0): Promise<void> {
  const loading = client.load(URL_OF_MODEL);
  const { job } = await worker(i).newest('load');
  worker(i).say({ type: 'loaded', job, model: MODEL });
  await loading;
}

/** Runs a generation to its end, keeping what it yields. */
function consume(signal?: AbortSignal): { events: GenerationEvent[]; end: Promise<void> } {
  const events: GenerationEvent[] = [];
  const run = async () => {
    for await (const event of client.generate(OPTIONS, signal)) events.push(event);
  };
  return { events, end: run() };
}

describe('EngineClient', () => {
  it('reports backend and progress while loading, and resolves with the model', async () => {
    const seen: unknown[] = [];
    const loading = client.load(URL_OF_MODEL, {
      backend: 'wasm',
      onBackend: (backend) => seen.push(backend.backend),
      onProgress: (progress) => seen.push(progress.loadedBytes),
    });
    const request = await worker().newest('load');
    expect(request).toMatchObject({ manifestUrl: URL_OF_MODEL, wish: { backend: 'wasm' } });
    const { job } = request;
    worker().say({ type: 'backend', job, backend: { backend: 'wasm', reason: '', threads: 1 } });
    worker().say({ type: 'loadProgress', job, loadedBytes: 5, totalBytes: 9, fromCache: false });
    worker().say({ type: 'loaded', job, model: MODEL });
    expect(await loading).toBe(MODEL);
    expect(seen).toEqual(['wasm', 5]);
  });

  it('rejects with code, sentence and retry of a failure', async () => {
    const loading = client.load(URL_OF_MODEL);
    const { job } = await worker().newest('load');
    worker().say({ type: 'failed', job, code: 'network', message: 'No network.', retry: true });
    await expect(loading).rejects.toEqual(new JobError('network', 'No network.', true));
  });

  it('yields steps in order and ends after the clip', async () => {
    await load();
    const { events, end } = consume();
    const { job } = await worker().newest('generate');
    for (const step of [1, 2]) worker().say({ type: 'step', job, summary: { step } as never });
    worker().say({ type: 'decodeProgress', job, done: 1, total: 1 });
    worker().say({ type: 'clip', job, clip: CLIP, milliseconds: 3, flops: 9 });
    await end;
    expect(events.map((event) => event.type)).toEqual(['step', 'step', 'decodeProgress', 'clip']);
    expect(worker().received.map((request) => request.type)).toEqual(['load', 'generate']);
  });

  it('yields the measurements of a comparison and ends after its summary', async () => {
    await load();
    const events: unknown[] = [];
    const run = async () => {
      for await (const event of client.compare(DEFAULT_COMPARISON)) events.push(event);
    };
    const end = run();
    const { job } = await worker().newest('compare');
    const measuring = { type: 'measuring', family: 'mebt', tokens: 256, spent: 0 } as const;
    const families = {} as FamilySummaries;
    worker().say({ type: 'comparing', job, event: measuring });
    worker().say({ type: 'compared', job, families });
    await end;
    expect(events).toEqual([measuring, { type: 'summary', families }]);
    expect(worker().received.map((request) => request.type)).toEqual(['load', 'compare']);
  });

  it('cancels in the worker on abort, and ends in an AbortError once the worker has answered', async () => {
    await load();
    const controller = new AbortController();
    const { end } = consume(controller.signal);
    const { job } = await worker().newest('generate');
    controller.abort();
    expect(await worker().newest('cancel')).toEqual({ type: 'cancel', job });
    worker().say({ type: 'cancelled', job });
    await expect(end).rejects.toMatchObject({ name: 'AbortError' });
  });

  it('cancels in the worker when the consumer leaves', async () => {
    await load();
    const leave = async () => {
      for await (const event of client.generate(OPTIONS)) if (event.type === 'step') break;
    };
    const left = leave();
    const { job } = await worker().newest('generate');
    worker().say({ type: 'step', job, summary: { step: 1 } as never });
    await left;
    expect(await worker().newest('cancel')).toEqual({ type: 'cancel', job });
  });

  it('keeps jobs apart: an encoding runs beside a generation', async () => {
    await load();
    const { events, end } = consume();
    const generation = (await worker().newest('generate')).job;
    const frames: number[] = [];
    const encoding = client.encode('gif', CLIP, { onProgress: (frame) => frames.push(frame) });
    const { job } = await worker().newest('encode');
    worker().say({ type: 'encodeProgress', job, frame: 1, frames: 1 });
    const file = new Blob(['x']);
    worker().say({ type: 'encoded', job, file, extension: 'gif', codec: 'gif' });
    expect(await encoding).toEqual({ file, extension: 'gif', codec: 'gif' });
    expect(frames).toEqual([1]);
    worker().say({ type: 'clip', job: generation, clip: CLIP, milliseconds: 1, flops: 9 });
    await end;
    expect(events).toHaveLength(1);
  });

  it('after a crash fails every open job, then starts a fresh worker and loads again', async () => {
    await load();
    const { end } = consume();
    await worker().newest('generate');
    const encoding = client.encode('gif', CLIP);
    worker().crash('boom');
    await expect(end).rejects.toMatchObject({ name: 'JobError', retry: true });
    await expect(encoding).rejects.toThrow('boom');
    expect(worker().terminated).toBe(true);

    const again = consume();
    await new Promise((resolve) => setTimeout(resolve));
    const reload = await worker(1).newest('load');
    expect(reload).toMatchObject({ manifestUrl: URL_OF_MODEL });
    worker(1).say({ type: 'loaded', job: reload.job, model: MODEL });
    const { job } = await worker(1).newest('generate');
    worker(1).say({ type: 'clip', job, clip: CLIP, milliseconds: 1, flops: 9 });
    await again.end;
  });

  it('loads again when the load itself failed', async () => {
    const loading = client.load(URL_OF_MODEL);
    const { job } = await worker().newest('load');
    worker().say({ type: 'failed', job, code: 'network', message: 'No network.', retry: true });
    await expect(loading).rejects.toThrow();
    await load();
  });

  it('says that load comes first', async () => {
    await expect(consume().end).rejects.toThrow('load a model first');
  });

  it('does not send what was aborted before', async () => {
    const signal = AbortSignal.abort();
    await expect(client.load(URL_OF_MODEL, { signal })).rejects.toMatchObject({ name: 'AbortError' });
    expect(workers).toHaveLength(0);
  });
});
