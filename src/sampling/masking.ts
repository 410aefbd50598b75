/** Which targets become context after a step: the most confident ones, with noise, or a random choice. */
import { log } from './elementary';
import type { DrawSite, Noise } from './random';
import { joinRows, rowOf } from './steps';

/**
 * `maskgit`: by confidence; `random`: in random order; `given`: the first targets, in the order in which they are;
 * `bootstrap`: one random target a step; `ar`: the first target, one a step.
 */
export type Strategy = 'maskgit' | 'random' | 'given' | 'bootstrap' | 'ar';

export interface ChoiceOptions {
  readonly strategy: Strategy;
  /** Targets that stay masked; bootstrap and ar always move one, whatever it says. */
  readonly masked: number;
  /** Power of the noise on the confidence; only `maskgit` uses it. */
  readonly choiceTemperature: number;
  readonly step: number;
}

/** How many of `targets` become context. */
export function movedCount(
  { strategy, masked }: Pick<ChoiceOptions, 'strategy' | 'masked'>,
  targets: number,
): number {
  if (strategy === 'bootstrap' || strategy === 'ar') return Math.min(1, targets);
  return Math.max(0, targets - masked);
}

/** Two sets of positions, [B, NC] and [B, NT]. */
export interface PositionSets {
  readonly context: Int32Array<ArrayBuffer>;
  readonly target: Int32Array<ArrayBuffer>;
}

/**
 * The next sets: targets sorted by falling key; the first ones go to the end of the context in that order, the
 * rest stay targets in that order. Nothing changes, not even the order, when none moves.
 * `scores` [B, NT] are the probabilities of the drawn codes; `given` and `ar` do not read them.
 */
export function chooseContext(
  { context, target }: PositionSets,
  scores: Float32Array,
  batch: number,
  options: ChoiceOptions,
  noise: Noise,
): PositionSets {
  const targets = target.length / batch;
  const moved = movedCount(options, targets);
  if (moved === 0) return { context, target };
  const contexts: number[][] = [];
  const rests: number[][] = [];
  for (let sample = 0; sample < batch; sample++) {
    const positions = rowOf(target, sample, batch);
    const order = sortedRows(
      positions,
      scores.subarray(sample * targets, (sample + 1) * targets),
      sample,
      options,
      noise,
    );
    const sorted = order.map((row) => positions[row] ?? 0);
    contexts.push([...rowOf(context, sample, batch), ...sorted.slice(0, moved)]);
    rests.push(sorted.slice(moved));
  }
  return { context: joinRows(contexts), target: joinRows(rests) };
}

/** Rows of the targets by falling key; equal keys keep their order. */
function sortedRows(
  positions: Int32Array,
  scores: Float32Array,
  sample: number,
  { strategy, choiceTemperature, step }: ChoiceOptions,
  noise: Noise,
): number[] {
  const rows = Array.from(positions, (_, row) => row);
  if (strategy === 'ar' || strategy === 'given') return rows;
  const site = (row: number): DrawSite => ({ step, sample, row, position: positions[row] ?? 0 });
  const keys =
    strategy === 'maskgit'
      ? rows.map((row) => confidenceKey(scores[row] ?? 0, choiceTemperature, noise, site(row)))
      : normalised(rows.map((row) => noise.normal(site(row))));
  return rows.sort((a, b) => (keys[b] ?? 0) - (keys[a] ?? 0) || a - b);
}

/** ln(score / q^temperature): the same order as the ratio, which would underflow at high temperatures. */
function confidenceKey(score: number, temperature: number, noise: Noise, site: DrawSite): number {
  const confidence = Math.max(log(score), -1e6); // a finite floor: the difference of two keys must be a number
  return temperature === 0 ? confidence : confidence - temperature * log(noise.choice(site));
}

/**
 * Scores are divided by their sum before they are sorted. For probabilities that changes nothing; normal scores
 * may have a negative sum, and then the order turns round, as it does in the reference implementation.
 */
function normalised(scores: readonly number[]): number[] {
  const sum = scores.reduce((total, score) => total + score, 0);
  return scores.map((score) => score / sum);
}
