/**
 * Whole runs, free-running: our samplers and our model from the recorded start, with the recorded noise. Sets of
 * positions and codes must be equal at every step.
 */
import * as tf from '@tensorflow/tfjs-core';
import { SCHEDULES } from '../config/generation';
import { type DecodeOptions, decode } from '../sampling/decode';
import { extrapolate } from '../sampling/extrapolate';
import type { Strategy } from '../sampling/masking';
import type { DrawSite, Noise } from '../sampling/random';
import { draftAndRevise, type SweepOptions } from '../sampling/revise';
import { CHOICE_SCHEDULES } from '../sampling/schedules';
import {
  allPositions,
  type GridState,
  type PredictLogits,
  rowOf,
  type SamplerContext,
  type SamplingStep,
} from '../sampling/steps';
import { channelsLast, expectClose, expectEqual, expectSame, LIMITS } from './compare';
import type { Fixture, FixtureFile, GoldenFolder, RunFacts } from './folder';
import { decodeCodes, type LoadedCheckpoint, logitsOf } from './model';
import { mainCheckpoint, type OpenCheckpoint } from './networks';
import type { Report } from './report';
import { stepName } from './samplers';

/** What a run ended with; the fixture says which of these it holds. */
interface Outcome {
  readonly tokens: Int32Array;
  readonly context?: Int32Array;
  readonly target?: Int32Array;
}

type Run = AsyncGenerator<SamplingStep, Outcome, undefined>;

export async function checkRuns(folder: GoldenFolder, report: Report, open: OpenCheckpoint): Promise<void> {
  const main = mainCheckpoint(folder);
  if (!main) return;
  for (const [name, facts] of Object.entries(folder.manifest.runs ?? {})) {
    const starter = RUNS[facts.call.fn];
    if (!starter) {
      report.skip(`run ${name}`, `there is no counterpart of ${facts.call.fn}()`);
      continue;
    }
    await checkRun(name, facts, await folder.file(facts.file), await open(main), report, starter);
  }
}

async function checkRun(
  name: string,
  facts: RunFacts,
  file: FixtureFile,
  checkpoint: LoadedCheckpoint,
  report: Report,
  start: (facts: RunFacts, file: FixtureFile, sampler: SamplerContext) => Run,
): Promise<void> {
  const transformer = checkpoint.transformer();
  let logits: Fixture = { shape: [], values: [] };
  const batch = file.get('step00.x').shape[0] ?? 1;
  const predictLogits: PredictLogits = async (tokens, context, target) => {
    logits = await logitsOf(transformer, { batch, tokens, context, target });
    return Float32Array.from(logits.values);
  };
  let outcome: Outcome | undefined;
  let steps = 0;
  const likelihood = new Float64Array(batch);
  try {
    const run = start(facts, file, { predictLogits, noise: recordedNoise(file) });
    for (let result = await run.next(); ; result = await run.next()) {
      if (result.done) {
        outcome = result.value;
        break;
      }
      const step = result.value;
      await report.check(`run ${name} ${stepName(step.index)}`, () => checkStep(step, logits, file));
      addLikelihood(step, likelihood);
      steps++;
    }
  } catch (error) {
    await report.check(`run ${name}`, () => Promise.reject(error));
  } finally {
    tf.dispose(transformer as unknown as tf.TensorContainerObject);
  }
  if (!outcome) return;
  await report.check(`run ${name} steps`, () => expectEqual(steps, facts.steps.length, 'forward passes'));
  if (file.has('score')) {
    await report.check(`run ${name} score`, () => {
      return expectClose(
        { shape: [batch], values: likelihood },
        file.get('score'),
        LIMITS.scores * batch * outcome.tokens.length,
      );
    });
  }
  await checkOutcome(name, outcome, file, checkpoint, report);
}

/** The score of a clip: the sum of ln probability over its tokens, each at the step that made it context. */
function addLikelihood({ batch, target, scores, nextContext }: SamplingStep, sums: Float64Array): void {
  for (let sample = 0; sample < batch; sample++) {
    const known = new Set(rowOf(nextContext, sample, batch));
    const targets = target.length / batch;
    for (const [row, position] of rowOf(target, sample, batch).entries()) {
      if (known.has(position))
        sums[sample] = (sums[sample] ?? 0) + Math.log(scores[sample * targets + row] ?? 0);
    }
  }
}

function checkStep(step: SamplingStep, logits: Fixture, file: FixtureFile): string {
  const name = (part: string): string => `${stepName(step.index)}.${part}`;
  expectSame(step.context, file.ints(name('context')), 'context');
  expectSame(step.target, file.ints(name('target')), 'target');
  const worst = file.has(name('logits')) ? expectClose(logits, file.get(name('logits')), LIMITS.logits) : '';
  expectSame(step.samples, file.ints(name('samples')), 'samples');
  expectClose(
    { shape: file.get(name('scores')).shape, values: step.scores },
    file.get(name('scores')),
    LIMITS.scores,
  );
  if (file.has(name('next_context'))) {
    expectSame(step.nextContext, file.ints(name('next_context')), 'next context');
    expectSame(step.nextTarget, file.ints(name('next_target')), 'next target');
  }
  // The grid before the step: what the model may read of it, the context tokens.
  const before = file.get(name('x'));
  const batch = before.shape[0] ?? 1;
  for (let sample = 0; sample < batch; sample++) {
    const [ours, theirs] = [
      rowOf(step.tokens, sample, batch),
      rowOf(Int32Array.from(before.values), sample, batch),
    ];
    const known = rowOf(step.context, sample, batch);
    expectSame(
      known.map((p) => ours[p] ?? -1),
      known.map((p) => theirs[p] ?? -1),
      'context tokens',
    );
  }
  return worst;
}

async function checkOutcome(
  name: string,
  { tokens, context, target }: Outcome,
  file: FixtureFile,
  checkpoint: LoadedCheckpoint,
  report: Report,
): Promise<void> {
  const ids = { final_tokens: tokens, code_maps: tokens, final_context: context, final_target: target };
  for (const [part, actual] of Object.entries(ids)) {
    if (!file.has(part)) continue;
    await report.check(`run ${name} ${part}`, () => expectSame(actual ?? [], file.ints(part), part));
  }
  if (!file.has('video_u8') || !file.has('code_maps')) return;
  await report.check(`run ${name} video_u8`, async () => {
    const decoder = checkpoint.decoder();
    try {
      const frames = await decodeCodes(decoder, atLeastFour({ ...file.get('code_maps'), values: tokens }));
      const levels = Array.from(frames.values, (x) =>
        Math.trunc(255 * (Math.min(0.5, Math.max(-0.5, x)) + 0.5)),
      );
      return expectClose({ ...frames, values: levels }, channelsLast(file.get('video_u8')), LIMITS.levels);
    } finally {
      tf.dispose(decoder as unknown as tf.TensorContainerObject);
    }
  });
}

/** A single latent frame is repeated to four before it is decoded, as the official scripts do. */
function atLeastFour({ shape, values }: Fixture): Fixture {
  const [batch = 1, t = 1, ...rest] = shape;
  if (t !== 1) return { shape, values };
  const frame = values.length / batch;
  const repeated = Array.from({ length: 4 * values.length }, (_, i) => {
    return values[Math.floor(i / (4 * frame)) * frame + (i % frame)] ?? 0;
  });
  return { shape: [batch, 4, ...rest], values: repeated };
}

/** The draws of a run: rows in the order of the targets, permutations in the order of the calls. */
function recordedNoise(file: FixtureFile): Noise {
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

const RUNS: Readonly<Record<string, (facts: RunFacts, file: FixtureFile, sampler: SamplerContext) => Run>> = {
  sample: runSample,
  bidirect_sample: runBidirectional,
  extrapolate: runExtrapolate,
  draft_and_revise: runDraftAndRevise,
};
