// What the page does when the visitor and the engine do something, without a browser.
import { describe, expect, it, vi } from 'vitest';
import type { GenerationEvent } from '../worker/client';
import type { BackendSummary } from '../worker/protocol';
import type { Engine } from './context';
import { createPage, type Page } from './page';
import { createFakeEngine } from './testing/fakeEngine';
import { createFakeLibrary } from './testing/fakeLibrary';

interface Setup {
  readonly engine?: Partial<Engine>;
  readonly search?: string;
  readonly calm?: boolean;
}

function open({ engine = {}, search = '?start=no', calm = false }: Setup = {}) {
  let address = search;
  let seed = 100;
  const saved: string[] = [];
  const page = createPage({
    engine: { ...createFakeEngine({ load: 0, step: 0, decode: 0 }), ...engine },
    library: createFakeLibrary(),
    search: () => address,
    replaceSearch: (next) => {
      address = next;
    },
    saveFile: (_file, name) => saved.push(name),
    drawSeed: () => seed++,
    calm,
  });
  return { page, saved, address: () => address, state: () => page.store.getState() };
}

const failure = (message: string, retry: boolean) => Object.assign(new Error(message), { retry });
const until = (page: Page, reached: (state: ReturnType<Page['store']['getState']>) => boolean) =>
  vi.waitFor(() => expect(reached(page.store.getState())).toBe(true), { timeout: 4000, interval: 2 });

describe('loading', () => {
  it('knows the size before the first byte, then model and backend', async () => {
    const { page, state } = open();
    const sizes: (number | undefined)[] = [];
    page.store.subscribe(({ bytes }) => bytes?.loaded === 0 && sizes.push(bytes.total));
    await page.actions.begin();
    expect(sizes[0]).toBe(12_940_000);
    expect(state()).toMatchObject({ weights: 'ready', status: 'Ready.', clip: null, generation: 'idle' });
    expect(state().model).toMatchObject({ name: 'sky-64', grid: [16, 16, 16], downsample: [4, 4, 4] });
    expect(state().backend?.backend).toBe('wasm');
  });

  it.each([
    ['webgpu', 64],
    ['wasm', 32],
    ['cpu', 16],
  ] as const)('offers %s a clip of %d frames', async (backend, frames) => {
    const { page, state } = open({ search: `?start=no&backend=${backend}` });
    await page.actions.begin();
    expect(state().settings.frames).toBe(frames);
  });

  it('begins with the large model on a graphics card, and with what the address names everywhere', async () => {
    const loaded: string[] = [];
    const on = (found: Partial<BackendSummary>, search: string) => {
      const fake = createFakeEngine({ load: 0, step: 0, decode: 0 });
      const backend: BackendSummary = { backend: 'webgpu', reason: 'Found.', threads: 1, ...found };
      const load: Engine['load'] = (url, request) => {
        loaded.push(url);
        return fake.load(url, request);
      };
      return open({ engine: { prepare: async () => backend, load }, search }).page.actions.begin();
    };
    await on({}, '?start=no');
    await on({ software: true }, '?start=no');
    await on({ backend: 'wasm' }, '?start=no');
    await on({}, '?start=no&model=sky-64');
    expect(loaded.map((url) => url.split('/')[1])).toEqual(['sky-128', 'sky-64', 'sky-64', 'sky-64']);
  });

  it('offers the quick model where the large one cannot be had', async () => {
    const fake = createFakeEngine({ load: 0, step: 0, decode: 0 });
    const load: Engine['load'] = (url, request) =>
      url.includes('sky-128') ? Promise.reject(failure('It does not fit.', false)) : fake.load(url, request);
    const { page, state, address } = open({ engine: { load }, search: '?start=no&model=sky-128' });
    await page.actions.begin();
    const { failure: failed } = state();
    expect(failed).toMatchObject({ message: 'It does not fit.', instead: 'weights/sky-64/manifest.json' });
    await page.actions.switchModel(failed?.instead ?? null);
    expect(state()).toMatchObject({ weights: 'ready', failure: null });
    expect(address()).toContain('model=sky-64');
  });

  it('knows how fast a clip was made, until the backend is another one', async () => {
    const { page, state } = open({ search: '?frames=16&steps=4' });
    await page.actions.begin();
    expect(state().pace).toBeGreaterThan(0);
    await page.actions.switchModel('weights/sky-64/manifest.json');
    expect(state().pace).toBeGreaterThan(0);
  });

  it('makes the first clip by itself unless the address says no', async () => {
    const { page, state } = open({ search: '?frames=16&steps=4' });
    await page.actions.begin();
    expect(state().clip).toMatchObject({ id: 1, frames: 16 });
  });

  it('takes settings from the address, says what it could not use, and writes what it does use', async () => {
    const { page, state, address } = open({ search: '?start=no&seed=abc&steps=900&frames=48&backend=cuda' });
    await page.actions.begin();
    expect(state().settings).toMatchObject({ seed: 100, steps: 64, frames: 48 });
    expect(state().notices).toHaveLength(3);
    expect(state().notices.join(' ')).toMatch(/backend=cuda.*Seed “abc”.*100 is used.*Steps “900”/);
    expect(address()).toBe('?start=no&backend=cuda&model=sky-64&seed=100&frames=48&steps=64');
    page.actions.dismissNotices();
    expect(state().notices).toEqual([]);
  });

  it('reports a failure, keeps Generate shut, and loads on Retry', async () => {
    const load = vi.fn<Engine['load']>().mockRejectedValueOnce(failure('A shard is damaged.', true));
    load.mockImplementation(createFakeEngine({ load: 0, step: 0, decode: 0 }).load);
    const { page, state } = open({ engine: { load } });
    await page.actions.begin();
    expect(state()).toMatchObject({
      weights: 'failed',
      status: 'A shard is damaged.',
      failure: { during: 'load', retry: true },
    });
    await page.actions.generate();
    expect(state().generation).toBe('idle');
    await page.actions.retry();
    expect(state()).toMatchObject({ weights: 'ready', failure: null });
  });

  it('offers no Retry where the worker says that it cannot help', async () => {
    const { page, state } = open({ engine: { load: () => Promise.reject(failure('No backend.', false)) } });
    await page.actions.begin();
    expect(state().failure).toEqual({ during: 'load', message: 'No backend.', retry: false });
  });
});

describe('generating', () => {
  it('shows every step, then the clip, and holds its pixels outside the store', async () => {
    const { page, state } = open({ search: '?start=no&frames=16&steps=6&seed=9' });
    await page.actions.begin();
    const steps: number[] = [];
    const shares: number[] = [];
    page.store.subscribe((now, before) => {
      if (now.stepId === before.stepId || !now.progress?.step) return;
      steps.push(now.progress.step);
      shares.push(now.fixedShare[0] ?? 0);
    });
    await page.actions.generate();
    expect(steps).toEqual([1, 2, 3, 4, 5, 6]);
    expect([...shares]).toEqual([...shares].sort((a, b) => a - b));
    expect(shares.at(-1)).toBe(1);
    expect(state()).toMatchObject({ generation: 'idle', view: 'clip', progress: null });
    expect(state().clip).toMatchObject({ seed: 9, frames: 16, width: 64, frameRate: 16 });
    expect(page.held.clip?.pixels).toHaveLength(16 * 64 * 64 * 4);
    expect(JSON.stringify(state()).length).toBeLessThan(4000);
  });

  it('stops at once, drops what still arrives, and generates again afterwards', async () => {
    const { page, state } = open({
      engine: createFakeEngine({ load: 0, step: 5, decode: 0 }),
      search: '?start=no&frames=16&steps=20',
    });
    await page.actions.begin();
    const first = page.actions.generate();
    await until(page, ({ progress }) => (progress?.step ?? 0) >= 2);
    const { step } = state().progress ?? {};
    page.actions.stop();
    expect(state()).toMatchObject({ generation: 'idle', view: 'preview', failure: null });
    expect(state().status).toBe(`Stopped after step ${step} of 20.`);
    const stopped = state().stepId;
    await first;
    expect(state().stepId).toBe(stopped);
    page.actions.change('steps', '4');
    await page.actions.generate();
    expect(state().clip?.id).toBe(1);
  });

  it('waits for the engine to be free when Generate follows Stop', async () => {
    let running = 0;
    let most = 0;
    const slow = createFakeEngine({ load: 0, step: 2, decode: 0 });
    const engine: Partial<Engine> = {
      async *generate(options): AsyncGenerator<GenerationEvent, void> {
        most = Math.max(most, ++running);
        // Deaf to the signal, as a worker is in the middle of a step.
        try {
          yield* slow.generate(options);
        } finally {
          running -= 1;
        }
      },
    };
    const { page, state } = open({ engine, search: '?start=no&frames=16&steps=8' });
    await page.actions.begin();
    void page.actions.generate();
    await until(page, ({ progress }) => progress?.step === 1);
    page.actions.stop();
    const second = page.actions.generate();
    expect(state()).toMatchObject({ generation: 'stepping', progress: { step: 0 } });
    await second;
    expect(most).toBe(1);
    expect(state().clip?.id).toBe(1);
  });

  it('ignores a second Generate while one is under way', async () => {
    const generate = vi.fn(createFakeEngine({ load: 0, step: 1, decode: 0 }).generate);
    const { page } = open({ engine: { generate }, search: '?start=no&frames=16&steps=4' });
    await page.actions.begin();
    await Promise.all([page.actions.generate(), page.actions.generate()]);
    expect(generate).toHaveBeenCalledTimes(1);
  });

  it('keeps the earlier clip when a later generation fails, and Retry makes another', async () => {
    const good = createFakeEngine({ load: 0, step: 0, decode: 0 }).generate;
    let lost = false;
    const engine: Partial<Engine> = {
      async *generate(options, signal): AsyncGenerator<GenerationEvent, void> {
        if (lost) throw failure('The graphics device was lost.', true);
        yield* good(options, signal);
      },
    };
    const { page, state } = open({ engine, search: '?start=no&frames=16&steps=4' });
    await page.actions.begin();
    await page.actions.generate();
    const kept = page.held.clip;
    lost = true;
    await page.actions.generate();
    expect(state()).toMatchObject({
      view: 'clip',
      generation: 'idle',
      failure: { during: 'generate', retry: true },
    });
    expect(state().clip?.id).toBe(1);
    expect(page.held.clip).toBe(kept);
    lost = false;
    await page.actions.retry();
    expect(state()).toMatchObject({ failure: null, clip: { id: 2 } });
  });

  it('leaves a running generation alone when settings change', async () => {
    const { page, state } = open({
      engine: createFakeEngine({ load: 0, step: 3, decode: 0 }),
      search: '?start=no&frames=16&steps=6&seed=1',
    });
    await page.actions.begin();
    const run = page.actions.generate();
    page.actions.newSeed();
    page.actions.change('frames', '64');
    await run;
    expect(state().clip).toMatchObject({ seed: 1, frames: 16 });
    expect(state().settings.frames).toBe(64);
  });
});

describe('settings', () => {
  it('go to the address', async () => {
    const { page, address } = open();
    await page.actions.begin();
    page.actions.change('steps', '12');
    page.actions.change('schedule', 'linear');
    page.actions.typeSeed('77');
    page.actions.chooseFormat('gif');
    const params = Object.fromEntries(new URLSearchParams(address()));
    expect(params).toMatchObject({ steps: '12', schedule: 'linear', seed: '77', format: 'gif' });
  });

  it('keep the last good seed while another is typed, and say so when it is none', async () => {
    const { page, state } = open({ search: '?start=no&seed=5' });
    await page.actions.begin();
    page.actions.typeSeed('12x');
    expect(state()).toMatchObject({ seedText: '12x', settings: { seed: 5 }, notices: [] });
    page.actions.commitSeed();
    expect(state()).toMatchObject({ seedText: '5', settings: { seed: 5 } });
    expect(state().notices[0]).toMatch(/^Seed “12x” is not a whole number/);
  });

  it('fall back to a format that the browser can write', async () => {
    const { page, state } = open({
      engine: { formats: async () => ['gif'] },
      search: '?start=no&format=webm',
    });
    await page.actions.begin();
    await until(page, ({ format }) => format === 'gif');
    expect(state().notices).toEqual(['This browser cannot write WEBM; GIF is chosen instead.']);
  });
});

describe('the clip', () => {
  it('waits for Play where less motion is asked for', () => {
    expect(open({ calm: true }).state().playback).toBe('paused');
    expect(open().state().playback).toBe('playing');
  });

  it('is saved under a name that tells model, seed and length', async () => {
    const { page, saved, state } = open({ search: '?start=no&frames=16&steps=4&seed=9&format=webm' });
    await page.actions.begin();
    await page.actions.generate();
    await page.actions.download();
    expect(saved).toEqual(['sky-64-seed-9-16-frames.webm']);
    expect(state()).toMatchObject({ encoding: 'idle', encoded: null });
  });

  it('stays when its encoding fails, and can be encoded again', async () => {
    const encode = vi.fn<Engine['encode']>().mockRejectedValueOnce(failure('No codec worked.', true));
    encode.mockResolvedValue({ file: new Blob(['x']), extension: 'gif', codec: 'gif' });
    const { page, saved, state } = open({ engine: { encode }, search: '?start=no&frames=16&steps=4' });
    await page.actions.begin();
    await page.actions.generate();
    await page.actions.download();
    expect(state()).toMatchObject({ encoding: 'idle', failure: { during: 'encode' }, clip: { id: 1 } });
    await page.actions.retry();
    expect(saved).toHaveLength(1);
    expect(state().failure).toBeNull();
  });
});
