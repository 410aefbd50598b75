/**
 * Whole runs, free-running: our samplers and our model from the recorded start, with the recorded noise. Sets of
 * positions and codes must be equal at every step. In float16, where a near-tie may fall to the other side and the run
 * would go elsewhere, samplers are given the recorded draws after each step, and ours are compared with them.
 */
import * as tf from '@tensorflow/tfjs-core';
import type { Draws } from '../sampling/filtering';
import { type Predict, predictFromLogits, rowOf, type SamplingStep } from '../sampling/steps';
import {
  channelsLast,
  expectClose,
  expectEqual,
  expectSame,
  FLOAT16_DRAWS,
  inFloat16,
  limits,
} from './compare';
import type { Fixture, FixtureFile, GoldenFolder, RunFacts } from './folder';
import { decodeCodes, type LoadedCheckpoint, logitsOf } from './model';
import { mainCheckpoint, type OpenCheckpoint } from './networks';
import { type Outcome, RUNS, recordedNoise, type StartRun } from './replay';
import type { Report } from './report';
import { stepName } from './samplers';

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
  start: StartRun,
): Promise<void> {
  const transformer = checkpoint.transformer();
  let logits: Fixture = { shape: [], values: [] };
  const batch = file.get('step00.x').shape[0] ?? 1;
  let drawn: Draws | undefined;
  const draw = predictFromLogits(async function* (state) {
    logits = await logitsOf(transformer, state);
    yield { first: 0, count: state.target.length, logits: Float32Array.from(logits.values) };
  });
  const predict: Predict = async (request) => {
    drawn = await draw(request);
    return inFloat16() ? recordedDraws(file, request.step) : drawn;
  };
  const draws = { all: 0, others: 0 };
  let outcome: Outcome | undefined;
  let steps = 0;
  const likelihood = new Float64Array(batch);
  try {
    const run = start(facts, file, { predict, noise: recordedNoise(file) });
    for (let result = await run.next(); ; result = await run.next()) {
      if (result.done) {
        outcome = result.value;
        break;
      }
      const step = result.value;
      await report.check(`run ${name} ${stepName(step.index)}`, () =>
        checkStep(step, drawn, logits, file, draws),
      );
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
  if (inFloat16()) {
    await report.check(`run ${name} draws`, () => {
      const text = `${draws.others} of ${draws.all} draws differ`;
      if (draws.others > FLOAT16_DRAWS * draws.all) throw new Error(text);
      return text;
    });
  }
  if (file.has('score')) {
    await report.check(`run ${name} score`, () => {
      return expectClose(
        { shape: [batch], values: likelihood },
        file.get('score'),
        limits().scores * batch * outcome.tokens.length,
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

function recordedDraws(file: FixtureFile, step: number): Draws {
  const scores = file.get(`${stepName(step)}.scores`).values;
  return { samples: file.ints(`${stepName(step)}.samples`), scores: Float32Array.from(scores) };
}

/** `drawn`: our draws; `draws` counts those that differ, in float16. */
function checkStep(
  step: SamplingStep,
  drawn: Draws | undefined,
  logits: Fixture,
  file: FixtureFile,
  draws: { all: number; others: number },
): string {
  const name = (part: string): string => `${stepName(step.index)}.${part}`;
  expectSame(step.context, file.ints(name('context')), 'context');
  expectSame(step.target, file.ints(name('target')), 'target');
  const worst = file.has(name('logits'))
    ? expectClose(logits, file.get(name('logits')), limits().logits)
    : '';
  const recorded = recordedDraws(file, step.index);
  const ours = drawn ?? step;
  if (!inFloat16()) expectSame(ours.samples, recorded.samples, 'samples');
  const same = (_: unknown, i: number): boolean => ours.samples[i] === recorded.samples[i];
  const [values, expected] = [ours.scores.filter(same), recorded.scores.filter(same)];
  draws.all += recorded.samples.length;
  draws.others += recorded.samples.length - values.length;
  expectClose(
    { shape: [values.length], values },
    { shape: [expected.length], values: expected },
    limits().scores,
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
      return expectClose({ ...frames, values: levels }, channelsLast(file.get('video_u8')), limits().levels);
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
