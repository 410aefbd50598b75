/** Our counterparts of the recorded calls: arguments, the recorded start, and the recorded noise. */
import { SCHEDULES } from '../config/generation';
import { type DecodeOptions, decode } from '../sampling/decode';
import { extrapolate } from '../sampling/extrapolate';
import type { Strategy } from '../sampling/masking';
import type { DrawSite, Noise } from '../sampling/random';
import { draftAndRevise, type SweepOptions } from '../sampling/revise';
import { CHOICE_SCHEDULES } from '../sampling/schedules';
import { allPositions, type GridState, type SamplerContext, type SamplingStep } from '../sampling/steps';
import type { FixtureFile, RunFacts } from './folder';
import { stepName } from './samplers';

/** What a run ended with; the fixture says which of these it holds. */
export interface Outcome {
  readonly tokens: Int32Array;
  readonly context?: Int32Array;
  readonly target?: Int32Array;
}

export type Run = AsyncGenerator<SamplingStep, Outcome, undefined>;

/** Starts our counterpart of a recorded call. */
export type StartRun = (facts: RunFacts, file: FixtureFile, sampler: SamplerContext) => Run;

/** The draws of a run: rows in the order of the targets, permutations in the order of the calls. */
export function recordedNoise(file: FixtureFile): Noise {
  const value = ({ step, sample, row }: DrawSite, part: string): number => {
    const { shape, values } = file.get(`${stepName(step)}.${part}`);
    return values[sample * (shape[1] ?? 0) + row] ?? Number.NaN;
  };
  return {
    fillCodes({ step, sample, row }, out) {
      const { shape, values } = file.get(`${stepName(step)}.q_sample`);
      const first = (sample * (shape[1] ?? 0) + row) * out.length;
      for (let code = 0; code < out.length; code++) out[code] = values[first + code] ?? Number.NaN;
    },
    choice: (site) => value(site, 'q_mask'),
    normal: (site) => value(site, 'randn'),
    permutation(draw, sample, length) {
      // Either one table of rows [draws of a batch, n] or, where lengths differ, a tensor a draw.
      const table = file.has('randperm');
      const values = file.ints(table ? 'randperm' : `randperm_${draw}`);
      const batch = file.get('step00.x').shape[0] ?? 1;
      const row = table ? draw * batch + sample : sample;
      return values.slice(row * length, (row + 1) * length);
    },
  };
}

/** Arguments of a call with the defaults that the reference has. */
function argument<T>(facts: RunFacts, names: readonly string[], fallback: T): T {
  const name = names.find((key) => facts.call[key] !== undefined && facts.call[key] !== null);
  return name === undefined ? fallback : (facts.call[name] as T);
}

/** Options of one decoding; temperature, top-k and top-p are those in force at its first recorded step. */
function decodeOptions(facts: RunFacts, strategy: Strategy, steps: number, edit: boolean): DecodeOptions {
  const first = facts.steps.find((step) => step.strategy === strategy) ?? facts.steps[0];
  const schedule = argument(facts, ['schedule'], 'cosine');
  const choiceSchedule = argument(facts, ['ctemp_schedule'], 'linear');
  return {
    steps,
    strategy,
    edit,
    temperature: first?.temperature ?? 1,
    topK: first?.top_k ?? undefined,
    topP: first?.top_p ?? undefined,
    choiceTemperature: argument(facts, ['context_temperature', 'ct', 'vid_c_temp'], 4.5),
    schedule: SCHEDULES.find((known) => known === schedule) ?? 'cosine',
    choiceSchedule: CHOICE_SCHEDULES.find((known) => known === choiceSchedule) ?? 'linear',
  };
}

/** The sets and tokens that the first step was given. */
function recordedStart(file: FixtureFile): GridState {
  const { shape } = file.get('step00.x');
  return {
    batch: shape[0] ?? 1,
    tokens: file.ints('step00.x'),
    context: file.ints('step00.context'),
    target: file.ints('step00.target'),
  };
}

async function* runSample(facts: RunFacts, file: FixtureFile, sampler: SamplerContext): Run {
  const strategy = argument<Strategy>(facts, ['strategy'], 'maskgit');
  const options = decodeOptions(
    facts,
    strategy,
    argument(facts, ['n_steps'], 0),
    argument(facts, ['edit'], false),
  );
  return yield* decode(recordedStart(file), options, sampler);
}

async function* runBidirectional(facts: RunFacts, file: FixtureFile, sampler: SamplerContext): Run {
  const bootstrap = argument(facts, ['bootstrap'], 0);
  let state = recordedStart(file);
  let index = 0;
  const phases = [
    decodeOptions(facts, 'bootstrap', bootstrap, false),
    decodeOptions(facts, 'maskgit', argument(facts, ['n', 'n_steps'], 0), false),
  ];
  for (const options of phases) {
    const run = decode(state, options, { ...sampler, firstStep: index });
    let result = await run.next();
    for (; !result.done; result = await run.next()) {
      index = result.value.index + 1;
      yield result.value;
    }
    state = result.value;
  }
  return state;
}

async function* runExtrapolate(facts: RunFacts, file: FixtureFile, sampler: SamplerContext): Run {
  const { shape } = file.get('input_code_map');
  const [batch = 1, , h = 1, w = 1] = shape;
  // Lengths are given in frames; the recorded window says how many latent frames that is.
  const window = (file.get('step00.x').shape[1] ?? 0) / (h * w);
  const frames = argument(facts, ['step_size'], window);
  const latent = (name: string): number => (argument(facts, [name], 0) * window) / frames;
  const { edit: _implied, ...options } = decodeOptions(
    facts,
    'maskgit',
    argument(facts, ['vid_n_steps'], 0),
    true,
  );
  const tokens = yield* extrapolate(
    file.ints('input_code_map'),
    batch,
    {
      window,
      context: latent('context_size'),
      total: latent('total_length'),
      tokensPerFrame: h * w,
      decode: options,
    },
    sampler,
  );
  return { tokens };
}

async function* runDraftAndRevise(facts: RunFacts, file: FixtureFile, sampler: SamplerContext): Run {
  const { shape } = file.get('step00.x');
  const [batch = 1, positions = 0] = shape;
  const given = file.has('in_target');
  const skipDraft = argument(facts, ['skip_draft'], false);
  const start: GridState = {
    batch,
    tokens: file.ints(skipDraft && file.has('draft') ? 'draft' : 'step00.x'),
    context: given ? file.ints('in_context') : new Int32Array(0),
    target: given ? file.ints('in_target') : allPositions(batch, positions),
  };
  const sweep = (part: string): SweepOptions => ({
    steps: argument(facts, [`n_${part}`], 1),
    temperature: argument(facts, [`${part}_t`], 1),
    topK: argument<number | undefined>(facts, [`${part}_k`], undefined),
    topP: argument<number | undefined>(facts, [`${part}_p`], undefined),
  });
  const options = {
    revise: sweep('revise'),
    passes: argument(facts, ['M'], 0),
    edit: argument(facts, ['edit'], false),
  };
  return yield* draftAndRevise(start, skipDraft ? options : { ...options, draft: sweep('draft') }, sampler);
}

/** How each function of the reference is replayed. */
export const RUNS: Readonly<Record<string, StartRun>> = {
  sample: runSample,
  bidirect_sample: runBidirectional,
  extrapolate: runExtrapolate,
  draft_and_revise: runDraftAndRevise,
};
