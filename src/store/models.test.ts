// The library as the page shows it, without a browser.
import { describe, expect, it, vi } from 'vitest';
import type { Engine, Library } from './context';
import { type KeepFields, readAnswers, wishOf } from './conversionAnswers';
import { createPage } from './page';
import { createFakeEngine } from './testing/fakeEngine';
import { createFakeLibrary, FAKE_HASH } from './testing/fakeLibrary';

function open(engine: Partial<Engine> = {}, library: Partial<Library> = {}) {
  let address = '?start=no&steps=9';
  const page = createPage({
    engine: { ...createFakeEngine({ load: 0, step: 0, decode: 0 }), ...engine },
    library: { ...createFakeLibrary(), ...library },
    search: () => address,
    replaceSearch: (next) => {
      address = next;
    },
    saveFile: () => undefined,
    drawSeed: () => 1,
    calm: true,
  });
  const work = () => page.store.getState().models.work;
  return { page, work, actions: page.actions, address: () => address, state: () => page.store.getState() };
}

const FILE = new File(['x'], 'a.ckpt');
const FIELDS: KeepFields = { name: '', license: '', sampling: 'general', frameRate: '16' };

async function converted(opened = open()) {
  await opened.actions.begin();
  await opened.actions.openCheckpoint([FILE]);
  await opened.actions.answer({ downsample: '4, 8, 8' });
  await opened.actions.convert({ ...FIELDS, name: 'mine' });
  return opened;
}

describe('a checkpoint', () => {
  it('is asked about, converted, listed, used and removed', async () => {
    const { actions, state, address, work } = await converted();
    expect(work()).toEqual({ kind: 'none' });
    expect(state().models.notice).toMatch(/mine is converted and kept on this machine, 365\.0 MB/);
    expect(state().models.list?.kept.map(({ name }) => name)).toEqual(['mine']);
    await actions.switchModel(`opfs:${FAKE_HASH}`);
    expect(new URLSearchParams(address()).get('model')).toBe(`opfs:${FAKE_HASH}`);
    await actions.removeModel(FAKE_HASH);
    expect(state().models.notice).toMatch(/365\.0 MB are free again/);
    expect(new URLSearchParams(address()).get('model')).toBe('sky-64');
  });

  it('says which answer cannot be used', async () => {
    const { actions, work } = open();
    await actions.openCheckpoint([FILE]);
    await actions.answer({ downsample: '4, 8' });
    expect(work()).toMatchObject({ kind: 'asking', problem: { what: 'downsample' } });
  });

  it('is stopped without a failure', async () => {
    const { actions, work, state } = open();
    await actions.openCheckpoint([FILE]);
    await actions.answer({ downsample: '4, 8, 8' });
    const run = actions.convert(FIELDS);
    actions.stopConversion();
    await run;
    expect(work()).toEqual({ kind: 'none' });
    expect(state().models.notice).toMatch(/Nothing of it was kept/);
  });

  it('of three files is refused with a sentence', async () => {
    const { actions, work } = open();
    await actions.openCheckpoint([FILE, FILE, FILE]);
    expect(work()).toMatchObject({
      kind: 'failed',
      message: expect.stringMatching(/one or two are expected/),
    });
  });
});

describe('another model that cannot be had', () => {
  it('leaves the present one in use, and its address', async () => {
    const fake = createFakeEngine({ load: 0, step: 0, decode: 0 });
    const load = vi.fn<Engine['load']>((url, request) =>
      url.startsWith('opfs:')
        ? Promise.reject(new Error('It is not on this machine.'))
        : fake.load(url, request),
    );
    const { actions, state, address } = open({ load });
    await actions.begin();
    const before = address();
    await actions.switchModel(`opfs:${FAKE_HASH}`);
    expect(state()).toMatchObject({ weights: 'ready', model: { name: 'sky-64' } });
    expect(state().models.notice).toBe('It is not on this machine.');
    expect(address()).toBe(before);
  });
});

describe('a hosted model', () => {
  const SOURCE = 'https://hosted.example/sky/manifest.json';

  it('is described before it is loaded: the one of the address, and one that is looked up', async () => {
    const { actions, state } = open();
    await actions.lookUpModel(' https://hosted.example/sky/ ');
    expect(state().models.hosted).toMatchObject([{ source: SOURCE, entry: { bytes: 345e6 }, problem: '' }]);
    await actions.lookUpModel(SOURCE);
    expect(state().models.hosted).toHaveLength(1);
    await actions.switchModel(SOURCE);
    actions.openModels();
    expect(state().models.hosted).toHaveLength(1);
    expect(state().model?.source).toBe(SOURCE);
  });

  it('that cannot be had, or is none, gives a sentence', async () => {
    const { actions, state } = open();
    await actions.lookUpModel('https://nowhere.example/manifest.json');
    expect(state().models.hosted[0]).toMatchObject({
      entry: null,
      problem: expect.stringMatching(/expected/),
    });
    for (const address of ['', 'ftp://x/manifest.json', `opfs:${FAKE_HASH}`]) {
      await actions.lookUpModel(address);
      expect(state().models.addressProblem).toMatch(/is not the address of a manifest/);
    }
    expect(state().models.hosted).toHaveLength(1);
  });
});

describe('a model that another tab is loading', () => {
  it('is not removed, and stays in use', async () => {
    const opened = await converted(
      open({}, { removeModel: () => Promise.reject(new Error('It is being loaded just now.')) }),
    );
    const { actions, state } = opened;
    await actions.switchModel(`opfs:${FAKE_HASH}`);
    await actions.removeModel(FAKE_HASH);
    expect(state().models.notice).toBe('It is being loaded just now.');
    expect(state().model?.source).toBe(`opfs:${FAKE_HASH}`);
  });
});

describe('readAnswers', () => {
  it('reads extents, heads and modes however they are separated', () => {
    expect(readAnswers({ grid: '4×16×16', heads: ' 16 ', modes: 'latent_enc, latent_dec' })).toEqual({
      kind: 'read',
      answers: { grid: [4, 16, 16], heads: 16, modes: ['latent_enc', 'latent_dec'] },
    });
  });
});

describe('wishOf', () => {
  it('takes what was typed, in one line, and leaves out what was not', () => {
    const typed = { name: ' sky ', license: ' CC BY 4.0,\n by me ', sampling: 'sky-128', frameRate: '25' };
    expect(wishOf(typed, 'int4', { heads: 2 })).toEqual({
      quantization: 'int4',
      name: 'sky',
      license: 'CC BY 4.0, by me',
      answers: { heads: 2, sampling: 'sky-128', frameRate: 25 },
    });
    expect(wishOf({ ...FIELDS, frameRate: 'fast' }, 'int8', {})).toEqual({
      quantization: 'int8',
      answers: { sampling: 'general' },
    });
  });
});
