/**
 * Draft and revise by Gibbs masks: the targets are split into random blocks; the draft fills them one after the
 * other, a revision re-predicts each block given all the others.
 */
import type { PositionSets } from './masking';
import type { Noise } from './random';
import {
  allPositions,
  type GridState,
  joinRows,
  type PassFilter,
  type Phase,
  predictAndDraw,
  rowOf,
  type SamplerContext,
  type SamplingStep,
} from './steps';

export interface SweepOptions extends PassFilter {
  /** Blocks that the targets are split into, as equal as they go: one forward pass each. */
  readonly steps: number;
}

/** Sets of a draft: step i knows the given context and the blocks before i, and predicts all the rest. */
export function draftMasks(
  sets: PositionSets,
  batch: number,
  permutation: Int32Array,
  steps: number,
): PositionSets[] {
  return masks(sets, batch, permutation, steps, (given, permuted, start) => ({
    context: [...given, ...permuted.slice(0, start)],
    target: permuted.slice(start),
  }));
}

/** Sets of a revision: step i predicts block i, given the context, the later blocks and the earlier ones. */
export function reviseMasks(
  sets: PositionSets,
  batch: number,
  permutation: Int32Array,
  steps: number,
): PositionSets[] {
  return masks(sets, batch, permutation, steps, (given, permuted, start, end) => ({
    context: [...given, ...permuted.slice(end), ...permuted.slice(0, start)],
    target: permuted.slice(start, end),
  }));
}

type SplitRow = (
  given: Int32Array,
  permuted: number[],
  start: number,
  end: number,
) => { context: number[]; target: number[] };

/** `permutation` [B, NT] orders the targets of each sample. */
function masks(
  { context, target }: PositionSets,
  batch: number,
  permutation: Int32Array,
  steps: number,
  split: SplitRow,
): PositionSets[] {
  const targets = target.length / batch;
  if (!Number.isInteger(steps) || steps < 1 || steps > Math.max(1, targets)) {
    throw new Error(
      `Gibbs masks: ${steps} steps for ${targets} targets; give a whole number from 1 to ${targets}.`,
    );
  }
  return Array.from({ length: steps }, (_, step) => {
    const start = Math.floor((step * targets) / steps);
    const end = Math.floor(((step + 1) * targets) / steps);
    const rows = Array.from({ length: batch }, (_row, sample) => {
      const positions = rowOf(target, sample, batch);
      const permuted = Array.from(rowOf(permutation, sample, batch), (i) => positions[i] ?? 0);
      return split(rowOf(context, sample, batch), permuted, start, end);
    });
    return {
      context: joinRows(rows.map((row) => row.context)),
      target: joinRows(rows.map((row) => row.target)),
    };
  });
}

/** A permutation for every sample, [B, n]. */
function drawPermutations(noise: Noise, draw: number, batch: number, length: number): Int32Array {
  const all = new Int32Array(batch * length);
  for (let sample = 0; sample < batch; sample++)
    all.set(noise.permutation(draw, sample, length), sample * length);
  return all;
}

export interface DraftAndReviseOptions {
  /** Absent when the grid is drafted already (by MaskGIT decoding, say). */
  readonly draft?: SweepOptions;
  readonly revise: SweepOptions;
  /** M: sweeps of the revision. */
  readonly passes: number;
  /** Revise every position, the given context too; otherwise only the targets. */
  readonly edit: boolean;
  /** `draw` of the first permutation; 0 unless another phase came before. */
  readonly firstDraw?: number;
}

/** One forward pass of a draft or a revision, before it is made. */
export interface Pass extends PositionSets {
  readonly phase: Phase;
  readonly filter: PassFilter;
}

/** Every forward pass in order: sets of positions and how to draw. Depends on the permutations only. */
export function planPasses(start: GridState, options: DraftAndReviseOptions, noise: Noise): Pass[] {
  const { batch } = start;
  const positions = start.tokens.length / batch;
  let draw = options.firstDraw ?? 0;
  const passes: Pass[] = [];
  if (options.draft) {
    const { draft } = options;
    const permutation = drawPermutations(noise, draw++, batch, start.target.length / batch);
    const sets = draftMasks(start, batch, permutation, draft.steps);
    passes.push(...sets.map((set) => ({ ...set, phase: 'draft' as const, filter: draft })));
  }
  const revised = options.edit
    ? { context: new Int32Array(0), target: allPositions(batch, positions) }
    : { context: start.context, target: start.target };
  for (let pass = 0; pass < options.passes; pass++) {
    const permutation = drawPermutations(noise, draw++, batch, revised.target.length / batch);
    const sets = reviseMasks(revised, batch, permutation, options.revise.steps);
    passes.push(...sets.map((set) => ({ ...set, phase: 'revise' as const, filter: options.revise })));
  }
  return passes;
}

/**
 * Drafts the targets of `start` (if asked to), then revises. Yields after every forward pass; `nextContext` and
 * `nextTarget` are the sets of the following pass, and after the last one everything is context.
 */
export async function* draftAndRevise(
  start: GridState,
  options: DraftAndReviseOptions,
  sampler: SamplerContext,
): AsyncGenerator<SamplingStep, GridState, undefined> {
  const { batch } = start;
  const done: PositionSets = {
    context: allPositions(batch, start.tokens.length / batch),
    target: new Int32Array(0),
  };
  const passes = planPasses(start, options, sampler.noise);
  let { tokens } = start;
  for (const [i, { phase, filter, context, target }] of passes.entries()) {
    const index = (sampler.firstStep ?? 0) + i;
    const next = passes[i + 1] ?? done;
    const drawn = await predictAndDraw({ batch, tokens, context, target }, filter, sampler, index);
    tokens = drawn.tokens;
    yield {
      batch,
      context,
      target,
      ...drawn,
      phase,
      index,
      nextContext: next.context,
      nextTarget: next.target,
    };
  }
  return { batch, tokens, ...done };
}
