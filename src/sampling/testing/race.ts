/** How close a draw was: the measure of near-ties, where two implementations may rightly disagree. For tests. */
import { type DrawRequest, type Filter, probabilities } from '../filtering';

/**
 * By what factor the winner of the race was ahead of `code` at row `row` of the targets: 1 for the winner itself, just
 * above 1 in a near-tie, Infinity where the filter cuts `code`. `logits` [V] are the row's.
 */
export function leadOver(
  code: number,
  row: number,
  logits: Float32Array,
  { batch, target, filter, noise, step }: DrawRequest,
): number {
  const perSample = target.length / batch;
  const race = new Float32Array(logits.length);
  const sample = Math.floor(row / perSample);
  noise.fillCodes({ step, sample, row: row % perSample, position: target[row] ?? 0 }, race);
  const ratios = Array.from(probabilities(logits, filter), (p, i) => p / (race[i] ?? Number.NaN));
  return ratios.reduce((most, ratio) => Math.max(most, ratio), 0) / (ratios[code] ?? Number.NaN);
}

/** How far the cut of top-p is from falling elsewhere: the distance of `topP` to the nearest mass of a row's largest codes. */
export function distanceToCut(logits: Float32Array, filter: Filter): number {
  const mass = filter.topP ?? 1;
  if (mass >= 1) return Number.POSITIVE_INFINITY;
  const weights = probabilities(logits, { ...filter, topP: 1 })
    .sort()
    .reverse();
  let before = 0;
  let nearest = Number.POSITIVE_INFINITY;
  for (const weight of weights) {
    before += weight;
    nearest = Math.min(nearest, Math.abs(before - mass));
  }
  return nearest;
}
