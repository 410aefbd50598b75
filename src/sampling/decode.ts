/**
 * MaskGIT decoding: every step predicts all targets at once and keeps the most confident as context; where the order is
 * given, it predicts those that it will keep. One async generator; it knows the grid as numbered positions only.
 */
import type { Schedule } from '../config/generation';
import { chooseContext, movedCount, type Strategy } from './masking';
import { type ChoiceSchedule, choiceTemperatureFactor, maskedCount, progressAfter } from './schedules';
import {
  askedForFirst,
  type GridState,
  type PassFilter,
  type Phase,
  predictAndDraw,
  type SamplerContext,
  type SamplingStep,
} from './steps';

export interface DecodeOptions extends PassFilter {
  /** Steps that the schedule is divided into; some may be skipped. */
  readonly steps: number;
  readonly schedule: Schedule;
  readonly strategy: Strategy;
  /** Power of the noise on the confidence, before its own schedule. */
  readonly choiceTemperature: number;
  readonly choiceSchedule: ChoiceSchedule;
  /**
   * true: the schedule counts the targets given at the start, so that every step does its share.
   * false: it counts all N positions, and the first steps are skipped when much is given.
   */
  readonly edit: boolean;
  /**
   * With `given`: the model reads no more masked tokens than this where fewer are drawn, the next ones of the order, each
   * in the place of several. All of them when left out or 0.
   */
  readonly targets?: number;
  /** Share of all positions that are known from which top-p holds; 0 when left out. */
  readonly topPFrom?: number;
  /** The same for guidance. */
  readonly guidanceFrom?: number;
}

export interface PlannedStep {
  readonly masked: number;
  readonly choiceTemperature: number;
  readonly contexts: number;
  /** Masked positions before the step. */
  readonly targets: number;
  /** Of them, those that codes are drawn for, */
  readonly drawn: number;
  /** and those that the model reads, the drawn ones among them. */
  readonly read: number;
}

/**
 * The steps that will be made, known beforehand since the counts depend on nothing that is drawn. A step is
 * skipped when its schedule would leave more masked than there are targets; with `given`, which has no reference to
 * follow, also when it would keep nothing of what it draws.
 */
export function planDecode(
  options: DecodeOptions,
  positions: number,
  contexts: number,
  targets: number,
): PlannedStep[] {
  const { steps, schedule, strategy, edit, choiceTemperature, choiceSchedule, targets: most = 0 } = options;
  const total = edit ? targets : positions;
  const plan: PlannedStep[] = [];
  let known = contexts;
  let left = targets;
  for (let k = 0; k < steps; k++) {
    const progress = progressAfter(k, steps);
    const masked = maskedCount(schedule, progress, total);
    if (masked > left || left === 0) continue;
    const moved = movedCount({ strategy, masked }, left);
    if (strategy === 'given' && moved === 0) continue;
    const temperature = choiceTemperature * choiceTemperatureFactor(choiceSchedule, progress);
    const drawn = strategy === 'given' ? moved : left;
    const read = strategy === 'given' && most > 0 ? Math.min(left, Math.max(drawn, most)) : left;
    plan.push({ masked, choiceTemperature: temperature, contexts: known, targets: left, drawn, read });
    known += moved;
    left -= moved;
  }
  return plan;
}

/**
 * Yields after every forward pass; returns the final state. All targets are resampled at each step, but with `given`
 * the target of a yielded step are those that it keeps.
 */
export async function* decode(
  start: GridState,
  options: DecodeOptions,
  sampler: SamplerContext,
): AsyncGenerator<SamplingStep, GridState, undefined> {
  const { batch } = start;
  const { strategy } = options;
  const phase: Phase = strategy === 'bootstrap' ? 'bootstrap' : 'draft';
  const positions = start.tokens.length / batch;
  const plan = planDecode(options, positions, start.context.length / batch, start.target.length / batch);
  let state = start;
  let index = sampler.firstStep ?? 0;
  for (const { masked, choiceTemperature, contexts, drawn, read } of plan) {
    const asked = askedForFirst(state, drawn, read);
    const draws = await predictAndDraw(asked, filterAt(options, contexts / positions), sampler, index);
    const choice = { strategy, masked, choiceTemperature, step: index };
    const next = chooseContext(state, draws.scores, batch, choice, sampler.noise);
    yield { ...asked, ...draws, phase, index, nextContext: next.context, nextTarget: next.target };
    state = { batch, tokens: draws.tokens, ...next };
    index++;
  }
  return state;
}

/** Of the pass before which the share `known` of all positions is known. */
export function filterAt(options: DecodeOptions, known: number): PassFilter {
  const { strategy, temperature, topK, topP, topPFrom = 0, guidance, guidanceFrom = 0 } = options;
  if (strategy === 'bootstrap') return { temperature: 1 };
  return {
    temperature,
    topK,
    topP: known < topPFrom ? 1 : topP,
    guidance: known < guidanceFrom ? 0 : guidance,
  };
}
