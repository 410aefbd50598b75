/** Checks of the samplers' parts, which need no model: schedules, masks, filtering, choice of context. */
import { SCHEDULES, type Schedule } from '../config/generation';
import { drawCodes, probabilities } from '../sampling/filtering';
import { chooseContext, type Strategy } from '../sampling/masking';
import type { Noise } from '../sampling/random';
import { draftMasks, reviseMasks } from '../sampling/revise';
import {
  CHOICE_SCHEDULES,
  choiceTemperatureFactor,
  maskedCount,
  maskedFraction,
  progressAfter,
} from '../sampling/schedules';
import { expectClose, expectSame, limits } from './compare';
import type { FixtureFile, GoldenFolder } from './folder';
import type { Report } from './report';

interface ScheduleFile {
  /** [schedule][N][n - 1][k - 1] */
  readonly n_masked?: Readonly<Record<string, Readonly<Record<string, readonly (readonly number[])[]>>>>;
  /** [schedule][n] at n + 1 evenly spaced points */
  readonly values?: Readonly<Record<string, Readonly<Record<string, readonly number[]>>>>;
  readonly context_temperature_factor?: Readonly<Record<string, Readonly<Record<string, readonly number[]>>>>;
  /** [schedule, N, n, k] where one is allowed more or less. */
  readonly knife_edge?: readonly (readonly [string, number, number, number])[];
}

export async function checkSchedules(folder: GoldenFolder, report: Report): Promise<void> {
  for (const file of Object.keys(folder.manifest.files ?? {}).filter((name) => name.endsWith('.json'))) {
    const tables = folder.json(file) as ScheduleFile;
    const edges = new Set(tables.knife_edge?.map((edge) => edge.join()));
    for (const [name, totals] of Object.entries(tables.n_masked ?? {})) {
      for (const [total, rows] of Object.entries(totals)) {
        await report.check(`schedule ${name} N=${total}`, () =>
          checkCounts(name, Number(total), rows, edges),
        );
      }
    }
    for (const [name, tablesOf] of Object.entries(tables.values ?? {})) {
      await report.check(`schedule ${name} values`, () => {
        for (const [n, values] of Object.entries(tablesOf)) {
          const actual = values.map((_, k) => maskedFraction(scheduleNamed(name), pointAt(k, Number(n))));
          expectClose({ shape: [values.length], values: actual }, { shape: [values.length], values }, 1.2e-7);
        }
      });
    }
    for (const [name, tablesOf] of Object.entries(tables.context_temperature_factor ?? {})) {
      await report.check(`choice temperature ${name}`, () => {
        const schedule = CHOICE_SCHEDULES.find((known) => known === name);
        if (!schedule) throw new Error('is not known');
        for (const [n, values] of Object.entries(tablesOf)) {
          const actual = values.map((_, k) => choiceTemperatureFactor(schedule, pointAt(k, Number(n))));
          expectClose({ shape: [values.length], values: actual }, { shape: [values.length], values }, 1e-15);
        }
      });
    }
  }
}

/** Progress at point k of n + 1. */
function pointAt(k: number, n: number): number {
  return k === 0 ? 0 : progressAfter(k - 1, n);
}

function scheduleNamed(name: string): Schedule {
  const schedule = SCHEDULES.find((known) => known === name);
  if (!schedule) throw new Error(`schedule ${name} is not known`);
  return schedule;
}

function checkCounts(
  name: string,
  total: number,
  rows: readonly (readonly number[])[],
  edges: ReadonlySet<string>,
): void {
  const schedule = scheduleNamed(name);
  for (const [row, counts] of rows.entries()) {
    const steps = row + 1;
    for (const [k, expected] of counts.entries()) {
      const actual = maskedCount(schedule, progressAfter(k, steps), total);
      const slack = edges.has([name, total, steps, k + 1].join()) ? 1 : 0;
      if (Math.abs(actual - expected) > slack) {
        throw new Error(`${actual} instead of ${expected} masked after step ${k + 1} of ${steps}`);
      }
    }
  }
}

export async function checkGibbsMasks(folder: GoldenFolder, report: Report): Promise<void> {
  const name = folder.fileOf('gibbs_masks', (tensor) => tensor.endsWith('.in_context'));
  if (!name) return;
  const file = await folder.file(name);
  for (const [label, { B: batch, n_steps: steps }] of folder.cases<{ B: number; n_steps: number }>(
    'gibbs_masks',
  )) {
    await report.check(`gibbs masks ${label}`, () => {
      const make = label.startsWith('revise') ? reviseMasks : draftMasks;
      const sets = { context: file.ints(`${label}.in_context`), target: file.ints(`${label}.in_target`) };
      const masks = make(sets, batch, file.ints(`${label}.randperm`), steps);
      for (const [i, { context, target }] of masks.entries()) {
        expectSame(context, file.ints(`${label}.${stepName(i)}.context`), `${stepName(i)} context`);
        expectSame(target, file.ints(`${label}.${stepName(i)}.target`), `${stepName(i)} target`);
      }
    });
  }
}

/** step00, step01, … */
export function stepName(index: number): string {
  return `step${String(index).padStart(2, '0')}`;
}

interface ProbsCase {
  readonly temperature: number;
  readonly top_k?: number;
  readonly top_p?: number;
  /** Name of the tensor of logits. */
  readonly logits: string;
  /** Codes left in each row. */
  readonly kept?: readonly number[];
}

export async function checkProbabilities(folder: GoldenFolder, report: Report): Promise<void> {
  const name = folder.fileOf('probs', (tensor) => tensor.endsWith('.probs'));
  if (!name) return;
  const file = await folder.file(name);
  for (const [label, facts] of folder.cases<ProbsCase>('probs')) {
    await report.check(`probabilities ${label}`, () => checkOneFilter(file, label, facts));
  }
}

function checkOneFilter(file: FixtureFile, label: string, facts: ProbsCase): void {
  const { shape } = file.get(facts.logits);
  const logits = file.floats(facts.logits);
  const codes = shape.at(-1) ?? 0;
  const rows = logits.length / codes;
  const filter = { temperature: facts.temperature, topK: facts.top_k, topP: facts.top_p };
  const all = new Float32Array(logits.length);
  for (let row = 0; row < rows; row++) {
    const kept = probabilities(logits.subarray(row * codes, (row + 1) * codes), filter);
    all.set(kept, row * codes);
    const count = kept.reduce((sum, probability) => sum + (probability > 0 ? 1 : 0), 0);
    const expected = facts.kept?.[row];
    if (expected !== undefined && count !== expected)
      throw new Error(`row ${row} keeps ${count} instead of ${expected}`);
  }
  expectClose({ shape, values: all }, file.get(`${label}.probs`), limits().probabilities);
  const noise = rowNoise(file.floats(`${label}.q`), codes);
  const drawn = drawCodes(logits, { batch: 1, target: new Int32Array(rows), filter, noise, step: 0 });
  expectSame(drawn.samples, file.ints(`${label}.samples`), 'samples');
}

/** Noise for codes from an array of rows. */
function rowNoise(q: Float32Array, codes: number): Noise {
  const unused = (): never => {
    throw new Error('no such noise was recorded');
  };
  return {
    fillCodes: ({ row }, out) => out.set(q.subarray(row * codes, (row + 1) * codes)),
    choice: unused,
    normal: unused,
    permutation: unused,
  };
}

interface NextMaskCase {
  readonly B: number;
  readonly n_context: number;
  readonly n_target: number;
  readonly t: number;
  readonly context_temperature: number;
  readonly strategy: Strategy;
  /** null: by the schedule, over context and targets. */
  readonly n_masked: number | null;
  readonly schedule: string;
}

export async function checkNextMasks(folder: GoldenFolder, report: Report): Promise<void> {
  const name = folder.fileOf('next_mask', (tensor) => tensor.endsWith('.next_context'));
  if (!name) return;
  const file = await folder.file(name);
  for (const [label, facts] of folder.cases<NextMaskCase>('next_mask')) {
    await report.check(`next mask ${label}`, () => {
      const total = facts.n_context + facts.n_target;
      const masked = facts.n_masked ?? maskedCount(scheduleNamed(facts.schedule), facts.t, total);
      const at = (tensor: string, sample: number, row: number): number =>
        file.get(`${label}.${tensor}`).values[sample * facts.n_target + row] ?? 0;
      const next = chooseContext(
        { context: file.ints(`${label}.context`), target: file.ints(`${label}.target`) },
        file.floats(`${label}.scores`),
        facts.B,
        { strategy: facts.strategy, masked, choiceTemperature: facts.context_temperature, step: 0 },
        {
          ...rowNoise(new Float32Array(0), 0),
          choice: ({ sample, row }) => at('q', sample, row),
          normal: ({ sample, row }) => at('randn', sample, row),
        },
      );
      expectSame(next.context, file.ints(`${label}.next_context`), 'context');
      expectSame(next.target, file.ints(`${label}.next_target`), 'target');
    });
  }
}
