import { describe, expect, it } from 'vitest';
import type { ComparisonPoint, Family, FamilySummaries, FamilySummary } from '../../config/comparison';
import { endSentences, extrapolationNote, growthClauses, memory, time, timeOf } from './words';

const point = (family: Family, tokens: number, milliseconds = 1, runs = 3): ComparisonPoint => {
  return { family, tokens, milliseconds, runs, extrapolated: family === 'autoregressive', bytes: 1 };
};
const ended = (end: FamilySummary['end'], exponent?: number): FamilySummary => ({
  end,
  growth: exponent === undefined ? null : { exponent, from: 1024, to: 8192 },
});
const FAMILIES: FamilySummaries = {
  mebt: ended('largest', 1.0234),
  dense: ended('time', 1.7),
  autoregressive: ended('memory'),
};

describe('figures', () => {
  it.each([
    [8.26, '8.3 ms'],
    [356.4, '356 ms'],
    [1500, '1.5 s'],
    [80_000, '80 s'],
    [600_000, '10 min'],
    [1_256_372, '21 min'],
  ])('a time of %d ms is %s', (milliseconds, text) => expect(time(milliseconds)).toBe(text));

  it.each([
    [67_056, '67 kB'],
    [5_800_000, '5.8 MB'],
    [201_300_000, '201 MB'],
    [1_610_000_000, '1,610 MB'],
  ])('%d bytes are %s', (bytes, text) => expect(memory(bytes)).toBe(text));

  it('tells a time that was measured from one that was extrapolated', () => {
    expect(timeOf(point('mebt', 256, 20))).toBe('20 ms');
    expect(timeOf(point('autoregressive', 256, 2000))).toBe('≈ 2 s');
  });
});

describe('sentences', () => {
  it('give an exponent and its range where there is one', () => {
    expect(growthClauses(FAMILIES)).toEqual([
      { family: 'mebt', name: 'MeBT', exponent: '1.02', range: 'from 1,024 to 8,192 tokens' },
      { family: 'dense', name: 'dense', exponent: '1.70', range: 'from 1,024 to 8,192 tokens' },
    ]);
  });

  it('say why a family ends early', () => {
    const points = [
      point('mebt', 8192),
      point('dense', 1024),
      point('dense', 2048),
      point('autoregressive', 512),
    ];
    expect(endSentences(FAMILIES, points)).toEqual([
      'Dense ends at 2,048 tokens: more would not have fitted into the time.',
      'Autoregressive ends at 512 tokens: more would have taken too much memory.',
    ]);
  });

  it('name the steps that an extrapolation rests on', () => {
    const points = [
      point('mebt', 256),
      point('autoregressive', 256, 1, 32),
      point('autoregressive', 1024, 1, 9),
    ];
    expect(extrapolationNote(points)).toBe('≈ extrapolated from 32 steps (256 tokens), 9 (1,024 tokens).');
    expect(extrapolationNote([point('mebt', 256)])).toBe('');
  });
});
