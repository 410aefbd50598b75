import { describe, expect, it } from 'vitest';
import type { Scene, Trait } from '../config/scene';
import { CounterNoise } from './random';
import { drawScene } from './scene';

const TRAITS: readonly Trait[] = [
  { name: 'hour', values: ['day', 'night'], shares: [[3, 1]] },
  {
    name: 'moon',
    values: ['no', 'yes'],
    shares: [
      [99, 1],
      [1, 3],
    ],
  },
  {
    name: 'wind',
    values: ['left', 'right', 'away'],
    shares: [
      [1, 1, 2],
      [1, 1, 0],
    ],
  },
];
const RUNS = 4000;

const scenes = (chosen: Scene = {}): Scene[] =>
  Array.from({ length: RUNS }, (_, seed) => drawScene(TRAITS, chosen, new CounterNoise(seed)));
const share = (of: readonly Scene[], wanted: Scene): number =>
  of.filter((scene) => Object.entries(wanted).every(([name, value]) => scene[name] === value)).length / RUNS;
/** Four standard deviations of a share, at its largest. */
const CHANCE = 4 * Math.sqrt(0.25 / RUNS);

describe('drawScene', () => {
  it('draws the first trait by its shares and the others by theirs under it', () => {
    const drawn = scenes();
    expect(Math.abs(share(drawn, { hour: 'night' }) - 1 / 4)).toBeLessThan(CHANCE);
    expect(Math.abs(share(drawn, { hour: 'night', moon: 'yes' }) - 3 / 16)).toBeLessThan(CHANCE);
    expect(Math.abs(share(drawn, { hour: 'day', wind: 'away' }) - 3 / 8)).toBeLessThan(CHANCE);
    expect(share(drawn, { hour: 'night', wind: 'away' })).toBe(0);
  });

  it('keeps what is chosen, and lets the first trait follow it', () => {
    const drawn = scenes({ moon: 'yes' });
    expect(share(drawn, { moon: 'yes' })).toBe(1);
    // 3/4 · 1/100 of day beside 1/4 · 3/4 of night.
    expect(Math.abs(share(drawn, { hour: 'night' }) - 0.1875 / 0.195)).toBeLessThan(CHANCE);
    expect(share(scenes({ hour: 'day', moon: 'yes' }), { hour: 'day', moon: 'yes' })).toBe(1);
  });

  it('draws the others as it would have under the same first trait', () => {
    const wind = (scene: Scene) => scene.wind;
    const before = scenes({ hour: 'day' });
    expect(scenes({ hour: 'day', moon: 'yes' }).map(wind)).toEqual(before.map(wind));
  });

  it('makes a scene even of a choice that was never met', () => {
    expect(drawScene(TRAITS, { hour: 'night', wind: 'away' }, new CounterNoise(1))).toMatchObject({
      hour: 'night',
      wind: 'away',
    });
    const other = TRAITS.map((trait) =>
      trait.name === 'wind'
        ? {
            ...trait,
            shares: [
              [1, 1, 0],
              [1, 1, 0],
            ],
          }
        : trait,
    );
    expect(drawScene(other, { wind: 'away' }, new CounterNoise(1)).wind).toBe('away');
  });

  it('is a function of the seed', () => {
    const [first, again] = [7, 7].map((seed) => drawScene(TRAITS, {}, new CounterNoise(seed)));
    expect(first).toEqual(again);
    expect(drawScene([], {}, new CounterNoise(1))).toEqual({});
  });
});
