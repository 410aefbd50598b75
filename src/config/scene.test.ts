import { describe, expect, it } from 'vitest';
import {
  lastingOf,
  offeredOf,
  readScene,
  sceneText,
  sceneTokens,
  type Trait,
  toldTokens,
  traitRows,
} from './scene';

const TRAITS: readonly Trait[] = [
  { name: 'hour', values: ['day', 'night'], shares: [[3, 1]] },
  {
    name: 'wind',
    values: ['left', 'right', 'away'],
    shares: [
      [1, 1, 2],
      [1, 1, 0],
    ],
  },
];

describe('the text of a choice', () => {
  it('is the same for the same choice, and is read back', () => {
    const text = sceneText(TRAITS, { wind: 'away', hour: 'night' });
    expect(text).toBe('hour-night.wind-away');
    expect(text).toBe(sceneText(TRAITS, { hour: 'night', wind: 'away' }));
    expect(readScene(TRAITS, text)).toEqual({ chosen: { hour: 'night', wind: 'away' }, problems: [] });
  });

  it('is empty where nothing is chosen', () => {
    expect(sceneText(TRAITS, {})).toBe('');
    expect(readScene(TRAITS, '')).toEqual({ chosen: {}, problems: [] });
  });

  it('goes through an address as it is', () => {
    expect(String(new URLSearchParams({ scene: 'hour-night.wind-away' }))).toBe('scene=hour-night.wind-away');
  });

  it.each([
    ['hour-noon', 'hour “noon” is not known (there are day, night)'],
    ['hour', 'hour “” is not known (there are day, night)'],
    ['hour-day-night', 'hour “day-night” is not known (there are day, night)'],
    ['rain-yes', '“rain” is not known (there are hour, wind)'],
    ['toString-x', '“toString” is not known (there are hour, wind)'],
    [`${'x'.repeat(500)}-y`, `“${'x'.repeat(23)}…” is not known (there are hour, wind)`],
  ])('says of %s what there is, and reads the rest', (text, words) => {
    const { chosen, problems } = readScene(TRAITS, `${text}.wind-left`);
    expect(chosen).toEqual({ wind: 'left' });
    expect(problems).toEqual([`Scene: ${words}`]);
  });

  it('says that a model cannot be told', () => {
    expect(readScene([], 'hour-day').problems).toEqual([
      'Scene: “hour” is not known (this model cannot be told what a clip is to be of)',
    ]);
  });
});

describe('offeredOf', () => {
  it('leaves out what people cannot choose', () => {
    const [hour, wind] = TRAITS as [Trait, Trait];
    const scene = { hour: 'day', wind: 'left' };
    expect(offeredOf(TRAITS, scene)).toEqual(scene);
    expect(offeredOf([hour, { ...wind, offered: false }], scene)).toEqual({ hour: 'day' });
  });
});

describe('sceneTokens', () => {
  it('counts through the values of all traits', () => {
    expect([traitRows(TRAITS), toldTokens(TRAITS)]).toEqual([5, 2]);
    expect(sceneTokens(TRAITS, { hour: 'day', wind: 'left' })).toEqual([{ row: 0 }, { row: 2 }]);
    expect(sceneTokens(TRAITS, { hour: 'night', wind: 'away' })).toEqual([{ row: 1 }, { row: 4 }]);
  });

  it('has two for a course, in the first frame and in the last', () => {
    const traits = TRAITS.map((trait) => (trait.name === 'hour' ? { ...trait, course: true } : trait));
    expect([traitRows(traits), toldTokens(traits)]).toEqual([7, 3]);
    const scene = { hour: 'night', wind: 'left' };
    expect(sceneTokens(traits, scene)).toEqual([
      { row: 1, frame: 'first' },
      { row: 3, frame: 'last' },
      { row: 4 },
    ]);
    expect(lastingOf(traits, scene)).toEqual({ wind: 'left' });
    expect(sceneTokens(traits, lastingOf(traits, scene))).toEqual([{ row: 4 }]);
  });

  it('has none for what is left open, and refuses what there is none of', () => {
    expect(sceneTokens(TRAITS, { wind: 'right' })).toEqual([{ row: 3 }]);
    expect(sceneTokens(TRAITS, {})).toEqual([]);
    expect(() => sceneTokens(TRAITS, { wind: 'up' })).toThrow(
      'wind must be one of left, right, away, got up',
    );
  });
});
