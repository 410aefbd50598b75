/**
 * The samplers' front door for the product: bootstrap → draft → revise sweeps over one clip, one record a step.
 * Knows `GenerationOptions` and a token grid; no model, no tensors, no messages.
 */
import type { GenerationOptions } from '../config/generation';
import type { Extent3 } from '../config/model';
import { type DecodeOptions, decode, filterAt, type PlannedStep, planDecode } from './decode';
import { CounterNoise } from './random';
import { type DraftAndReviseOptions, draftAndRevise, planPasses } from './revise';
import { spreadTurns } from './spread';
import { allPositions, type GridState, type Predict, type SamplerContext, type SamplingStep } from './steps';

/** The token grid after a step. */
export interface GenerationStep {
  readonly phase: SamplingStep['phase'];
  /** 1-based, over all phases. */
  readonly step: number;
  /** Steps in all, known from the first; the skipped ones of the schedule are not counted. */
  readonly steps: number;
  /** [N] code of every position; meaningless where `fixed` is 0. */
  readonly tokens: Int32Array<ArrayBuffer>;
  /** [N] 1 where the token will be context of the next step; all 1 at the end. */
  readonly fixed: Uint8Array<ArrayBuffer>;
  readonly grid: Extent3;
  /** Duration of this step, prediction and sampling, in ms. */
  readonly milliseconds: number;
}

/** Tokens known from the start: prediction, interpolation, inpainting. */
export interface KnownTokens {
  /** [N] codes; read where `fixed` is 1. */
  readonly tokens: Int32Array;
  /** [N] 1 where the token is given and stays. */
  readonly fixed: Uint8Array;
}

export interface GenerationRequest {
  readonly options: GenerationOptions;
  /** T'×H'×W' of this clip. */
  readonly grid: Extent3;
  /** Batch 1; position = t·H'·W' + h·W' + w. */
  readonly predict: Predict;
  readonly signal?: AbortSignal;
  readonly known?: KnownTokens;
  /** Where the noise is counted from, so that parts of one clip do not repeat it; 0 when left out. */
  readonly firstStep?: number;
}

/** Yields after every forward pass; the last record has the finished grid. Throws the signal's reason on abort. */
export async function* sampleTokens(
  request: GenerationRequest,
): AsyncGenerator<GenerationStep, void, undefined> {
  const { grid } = request;
  const { steps } = planGeneration(request);
  let step = 0;
  let began = performance.now();
  for await (const { phase, tokens, nextContext } of allSteps(request)) {
    const fixed = new Uint8Array(tokens.length);
    for (const position of nextContext) fixed[position] = 1;
    step++;
    yield { phase, step, steps, tokens, fixed, grid, milliseconds: performance.now() - began };
    began = performance.now(); // what the consumer did meanwhile is not the step's
  }
}

/** Forward passes that `sampleTokens` will make. */
export function countSteps(request: Omit<GenerationRequest, 'predict' | 'signal'>): number {
  return planGeneration(request).steps;
}

/** One forward pass: how many tokens it knows and predicts, how many others it reads that are masked, and its guidance. */
export interface PassSize {
  readonly contexts: number;
  readonly targets: number;
  readonly masked: number;
  readonly guidance: number;
}

/** Of each of them, in order. */
export function passSizes(request: Omit<GenerationRequest, 'predict' | 'signal'>): PassSize[] {
  const { start, drafted, reviseSteps } = planGeneration(request);
  const targets = start.target.length;
  const end = (block: number): number => Math.floor(((block + 1) * targets) / reviseSteps);
  const sweep = Array.from({ length: reviseSteps }, (_, block) => {
    const revised = end(block) - end(block - 1);
    const { guidance } = request.options;
    return { contexts: start.tokens.length - revised, targets: revised, masked: 0, guidance };
  });
  return [...drafted, ...Array.from({ length: request.options.revisePasses }, () => sweep).flat()];
}

interface GenerationPlan {
  readonly start: GridState;
  readonly bootstrap: DecodeOptions;
  readonly draft: DecodeOptions;
  /** Each step before the first revision. */
  readonly drafted: readonly PassSize[];
  /** Blocks of a revision sweep: no more than there are targets. */
  readonly reviseSteps: number;
  readonly steps: number;
}

function planGeneration({
  options,
  grid,
  known: given,
}: Omit<GenerationRequest, 'predict' | 'signal'>): GenerationPlan {
  const start = startState(grid, given);
  const positions = start.tokens.length;
  const common = { ...options, choiceSchedule: 'linear', edit: given !== undefined } as const;
  const draft: DecodeOptions = { ...common, strategy: options.order === 'spread' ? 'given' : 'maskgit' };
  const bootstrap: DecodeOptions = { ...common, strategy: 'bootstrap', steps: options.bootstrap };
  const targets = start.target.length;
  const known = start.context.length;
  const first = planDecode(bootstrap, positions, known, targets);
  const rest = planDecode(draft, positions, known + first.length, targets - first.length);
  const sizesOf = (phase: DecodeOptions, plan: readonly PlannedStep[]): PassSize[] =>
    plan.map(({ contexts, drawn, read }) => {
      const { guidance = 0 } = filterAt(phase, contexts / positions);
      return { contexts, targets: drawn, masked: read - drawn, guidance };
    });
  const drafted = [...sizesOf(bootstrap, first), ...sizesOf(draft, rest)];
  const reviseSteps = Math.min(options.reviseSteps, targets);
  const steps = drafted.length + options.revisePasses * reviseSteps;
  return { start, bootstrap, draft, drafted, reviseSteps, steps };
}

async function* allSteps(request: GenerationRequest): AsyncGenerator<SamplingStep, void, undefined> {
  const { options, predict, signal, firstStep = 0 } = request;
  const { start, bootstrap, draft, drafted, reviseSteps } = planGeneration(request);
  const noise = new CounterNoise(options.seed);
  const { reviseTemperature: temperature, topK, topP, guidance } = options;
  const revision: DraftAndReviseOptions = {
    revise: { steps: Math.max(1, reviseSteps), temperature, topK, topP, guidance },
    passes: reviseSteps > 0 ? options.revisePasses : 0,
    edit: false,
    firstDraw: firstStep,
  };
  const firstRevision = planPasses(start, revision, noise)[0];
  let index = firstStep;
  let state = start;
  const sampler = (): SamplerContext => ({ predict, noise, signal, firstStep: index });
  for (const phase of [bootstrap, draft]) {
    if (phase.strategy === 'given') state = inTurn(state, spreadTurns(request.grid, noise));
    for await (const step of decode(state, phase, sampler())) {
      index = step.index + 1;
      state = { batch: 1, tokens: step.tokens, context: step.nextContext, target: step.nextTarget };
      const last = index === firstStep + drafted.length && firstRevision;
      yield last ? { ...step, nextContext: last.context, nextTarget: last.target } : step;
    }
  }
  // The targets of the start, not of the draft's end: given tokens stay as they are.
  yield* draftAndRevise({ ...start, tokens: state.tokens }, revision, sampler());
}

/** The targets by the turn of their position, [N]. */
function inTurn(state: GridState, turns: Int32Array): GridState {
  const turn = (position: number): number => turns[position] ?? 0;
  return { ...state, target: state.target.toSorted((a, b) => turn(a) - turn(b)) };
}

function startState(grid: Extent3, known: KnownTokens | undefined): GridState {
  const positions = grid[0] * grid[1] * grid[2];
  const all = allPositions(1, positions);
  if (!known) return { batch: 1, tokens: new Int32Array(positions), context: new Int32Array(0), target: all };
  if (known.tokens.length !== positions || known.fixed.length !== positions) {
    throw new Error(
      `Known tokens: ${known.tokens.length} codes and ${known.fixed.length} flags for a grid of ${positions} tokens.`,
    );
  }
  return {
    batch: 1,
    tokens: Int32Array.from(known.tokens),
    context: all.filter((position) => known.fixed[position] === 1),
    target: all.filter((position) => known.fixed[position] !== 1),
  };
}
