/** The command line of `npm run bench`: what can be asked for, and how it is read. */
import { parseArgs } from 'node:util';
import { BACKENDS, type BenchBackend, CASES, type CaseName, CONTENDERS, type ContenderName } from './rows';
import type { SuiteOptions } from './suite';

export interface BenchOptions {
  readonly runtime: 'chromium' | 'node';
  readonly backends: readonly BenchBackend[];
  readonly suite: Omit<SuiteOptions, 'backend'>;
  /** Write the rows there. */
  readonly json?: string;
  /** Write the report as Markdown there. */
  readonly markdown?: string;
  /** Make the report from the rows of these files instead of measuring. */
  readonly from: readonly string[];
  /** A sentence on the circumstances, for the report. */
  readonly about?: string;
  /** Only write the self-contained Node bundle to this folder. */
  readonly bundle?: string;
}

export const HELP = `npm run bench -- [options]

  --runtime chromium|node   chromium by default; node: a bundle, with the npm package webgpu
  --only A,B,…              names of cases, backends or contenders: ${[...CASES, ...BACKENDS, ...CONTENDERS].join(', ')};
                            a case may be a beginning: --only forward,wasm,ours
  --quick                   tiny shapes, seconds in all: to see that it works
  --full                    the cases' own sizes on software adapters and cpu, too
  --budget SECONDS          a contender may take so long for a case (20)
  --runs N                  at most so many measured runs (7)
  --patience SECONDS        a run may take so long; what would take longer, judged by a smaller size, is not run (300)
  --clock processor         count processor time, not time on the wall: for ratios on a busy machine (Node only)
  --threads N               wasm threads; the page's own choice by default
  --json FILE               the rows as JSON
  --markdown FILE           the report as Markdown, as bench/RESULTS.md is
  --from FILE,…             the report from such JSON instead of a run
  --about TEXT              a line on the circumstances for that report
  --bundle DIR              only write the bundle that \`node DIR/bench.cjs\` runs, for a machine without this checkout`;

export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** Throws UsageError with a sentence. */
export function parseOptions(args: readonly string[]): BenchOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      runtime: { type: 'string', default: 'chromium' },
      only: { type: 'string', multiple: true, default: [] },
      quick: { type: 'boolean', default: false },
      full: { type: 'boolean', default: false },
      budget: { type: 'string' },
      runs: { type: 'string', default: '7' },
      threads: { type: 'string' },
      clock: { type: 'string', default: 'wall' },
      patience: { type: 'string' },
      json: { type: 'string' },
      markdown: { type: 'string' },
      from: { type: 'string', multiple: true, default: [] },
      bundle: { type: 'string' },
      about: { type: 'string' },
    },
  });
  const { runtime, clock, quick, full, json, markdown, bundle, about } = values;
  if (runtime !== 'chromium' && runtime !== 'node') {
    throw new UsageError(`--runtime is chromium or node, not ${runtime}.`);
  }
  if (clock !== 'wall' && clock !== 'processor') {
    throw new UsageError(`--clock is wall or processor, not ${clock}.`);
  }
  if (clock === 'processor' && runtime !== 'node') {
    throw new UsageError('--clock processor needs --runtime node: a page cannot see its processor time.');
  }
  if (quick && full) throw new UsageError('--quick and --full exclude each other; give one.');
  const only = splitOnly(values.only.flatMap((list) => list.split(',')).filter(Boolean));
  const size: SuiteOptions['size'] = quick ? 'quick' : full ? 'full' : 'auto';
  return {
    runtime,
    backends: only.backends.length > 0 ? only.backends : BACKENDS,
    suite: {
      cases: only.cases,
      contenders: only.contenders,
      size,
      clock,
      budget: positive('--budget', values.budget ?? (quick ? '1' : '20')),
      mostRuns: positive('--runs', values.runs),
      patience: positive('--patience', values.patience ?? (quick ? '10' : '300')),
      ...(values.threads === undefined ? {} : { threads: positive('--threads', values.threads) }),
    },
    from: values.from.flatMap((list) => list.split(',')),
    ...(json === undefined ? {} : { json }),
    ...(markdown === undefined ? {} : { markdown }),
    ...(about === undefined ? {} : { about }),
    ...(bundle === undefined ? {} : { bundle }),
  };
}

function positive(name: string, text: string): number {
  const value = Number(text);
  if (!(value > 0)) throw new UsageError(`${name} is a positive number, not ${text}.`);
  return value;
}

interface Only {
  readonly cases: CaseName[];
  readonly backends: BenchBackend[];
  readonly contenders: ContenderName[];
}

/** Sorts names into cases (or their beginnings), backends and contenders. */
function splitOnly(names: readonly string[]): Only {
  const only: Only = { cases: [], backends: [], contenders: [] };
  for (const name of names) {
    const backend = BACKENDS.find((one) => one === name);
    const contender = CONTENDERS.find((one) => one === name);
    const cases = CASES.filter((one) => one === name || one.replace(/-\d+$/, '') === name);
    if (backend) only.backends.push(backend);
    else if (contender) only.contenders.push(contender);
    else if (cases.length > 0) only.cases.push(...cases);
    else throw new UsageError(`--only does not know ${name}; see --help for the names.`);
  }
  return only;
}
