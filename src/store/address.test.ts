// What a link may ask for, and the link that recalls the settings.
import { describe, expect, it } from 'vitest';
import { defaultGenerationOptions, type ModelFacts } from '../config/generation';
import { readAddress, writeAddress } from './address';

const facts: ModelFacts = {
  maxFrames: 64,
  ownFrames: 64,
  framesPerLatent: 4,
  vocabulary: 1024,
  sampling: {},
  comfortableFrames: 32,
};

describe('readAddress', () => {
  it('finds nothing to complain about in a bare address', () => {
    expect(readAddress('')).toEqual({
      source: null,
      autostart: true,
      float16: true,
      given: {},
      problems: [],
    });
  });

  it('reads backend, model, format and start', () => {
    const address = readAddress('?backend=cpu&model=weights/tiny/manifest.json&format=gif&start=no&seed=7');
    expect(address).toMatchObject({
      backend: 'cpu',
      source: 'weights/tiny/manifest.json',
      format: 'gif',
      autostart: false,
      problems: [],
    });
    expect(address.given.seed).toBe('7');
  });

  it('reads how many threads are wanted, and says what is no number of threads', () => {
    expect(readAddress('?threads=2').threads).toBe(2);
    for (const wrong of ['0', '-1', '2.5', 'many', '', '65']) {
      const { threads, problems } = readAddress(`?threads=${wrong}`);
      expect(threads).toBeUndefined();
      expect(problems.join()).toContain('whole number from 1 to 64');
    }
  });

  it('keeps to float32 when float16 is switched off', () => {
    expect(readAddress('?float16=off')).toMatchObject({ float16: false, problems: [] });
    expect(readAddress('').float16).toBe(true);
  });

  it.each([
    [
      '?backend=cuda',
      '“backend=cuda” in the address is not one of webgpu, wasm, cpu; the page chooses by itself.',
    ],
    [
      '?format=avi',
      '“format=avi” in the address is not one of mp4, webm, gif; the best one that this browser writes is used.',
    ],
    ['?start=maybe', '“start=maybe” in the address is not one of yes, no; the first clip starts by itself.'],
    [
      '?model=javascript:alert(1)',
      "“model=javascript:alert(1)” in the address is not the http(s) address of a manifest.json, a folder of weights/, or a model of this machine; the page's own model is used.",
    ],
    [
      '?model=',
      "“model=” in the address is not the http(s) address of a manifest.json, a folder of weights/, or a model of this machine; the page's own model is used.",
    ],
  ])('says what is wrong with %s and does not use it', (search, sentence) => {
    const address = readAddress(search);
    expect(address.problems).toEqual([sentence]);
    expect(address).toMatchObject({ source: null, autostart: true });
    expect(address.backend).toBeUndefined();
    expect(address.format).toBeUndefined();
  });
});

describe('writeAddress', () => {
  const defaults = { ...defaultGenerationOptions(facts), seed: 5 };

  const SOURCE = 'weights/sky-64/manifest.json';

  it('always names model, seed, length and steps, whose defaults differ from device to device', () => {
    expect(writeAddress('', SOURCE, defaults, facts, null)).toBe('?model=sky-64&seed=5&frames=32&steps=24');
  });

  it('keeps parameters that are no option, and drops options that are back at their default', () => {
    const search = '?backend=wasm&start=no&topK=9&schedule=cube&seed=1';
    const written = new URLSearchParams(
      writeAddress(search, SOURCE, { ...defaults, temperature: 0.5 }, facts, 'gif'),
    );
    expect(Object.fromEntries(written)).toEqual({
      backend: 'wasm',
      model: 'sky-64',
      start: 'no',
      seed: '5',
      frames: '32',
      steps: '24',
      temperature: '0.5',
      format: 'gif',
    });
  });

  it('drops a format that is the usual one again', () => {
    expect(writeAddress('?format=gif', SOURCE, defaults, facts, null)).not.toContain('format');
  });

  it('is read back as the same options', () => {
    const options = { ...defaults, frames: 64, steps: 12, schedule: 'sqrt' as const, revisePasses: 2 };
    const { given } = readAddress(writeAddress('', SOURCE, options, facts, null));
    const asked = { seed: '5', frames: '64', steps: '12', schedule: 'sqrt', revisePasses: '2' };
    expect(given).toEqual({ model: 'sky-64', ...asked });
  });

  it.each([SOURCE, 'https://hosted.example/sky/manifest.json', `opfs:${'a'.repeat(64)}`])(
    'finds %s again',
    (source) => {
      expect(readAddress(writeAddress('', source, defaults, facts, null)).source).toBe(source);
    },
  );
});
