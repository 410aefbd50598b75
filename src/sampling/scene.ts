/** Draws what a clip is of, where nobody chose it: as often as the model's training clips had it, given what was chosen. */
import type { Scene, Trait } from '../config/scene';
import type { Noise } from './random';

/** Of the draws here; forward passes count up from 0. */
const STEP = 0xffffffff;
/** Values of one trait have so many places for their noise. */
const PLACES = 256;

/**
 * The first trait is drawn by its shares times the others' chosen values' shares under it (Bayes' rule, the others being
 * independent given the first), every other by its shares under the first. What is drawn for a trait depends on the seed
 * and on the first trait, not on what else was chosen.
 */
export function drawScene(traits: readonly Trait[], chosen: Scene, noise: Noise): Scene {
  const [first, ...others] = traits;
  if (!first) return {};
  const likely = (first.shares[0] ?? []).map((share, i) =>
    others.reduce((product, { name, values, shares }) => {
      const value = chosen[name];
      return value === undefined ? product : product * part(shares[i] ?? [], values.indexOf(value));
    }, share),
  );
  const possible = likely.some((weight) => weight > 0) ? likely : (first.shares[0] ?? []);
  const scene: Record<string, string> = {
    [first.name]: chosen[first.name] ?? draw(first, 0, possible, noise),
  };
  const row = first.values.indexOf(scene[first.name] ?? '');
  others.forEach((trait, i) => {
    scene[trait.name] = chosen[trait.name] ?? draw(trait, i + 1, trait.shares[row] ?? [], noise);
  });
  return scene;
}

/** Of all the weights. */
function part(weights: readonly number[], place: number): number {
  return (weights[place] ?? 0) / weights.reduce((sum, weight) => sum + weight, 0);
}

/** The first to come of exponentially distributed times with these rates, which is each of them as often as its weight. */
function draw({ values }: Trait, number: number, weights: readonly number[], noise: Noise): string {
  const time = (place: number): number => {
    const site = { step: STEP, sample: 0, row: place, position: number * PLACES + place };
    return noise.choice(site) / Math.max(weights[place] ?? 0, Number.MIN_VALUE);
  };
  const times = values.map((_, place) => time(place));
  return values[times.indexOf(Math.min(...times))] ?? '';
}
