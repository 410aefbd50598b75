/** The command line of `npm run bench`: what can be asked for, and how it is read. */
import { parseArgs } from 'node:util';
import { UsageError } from '../scripts/commandLine';
import { KEEP_FROM, KEEP_TO } from './report';
import { BACKENDS, type BenchBackend, CASES, type CaseName, CONTENDERS, type ContenderName } from './rows';
import type { SuiteOptions } from './suite';

export interface BenchOptions {
  readonly runtime: 'chromium' | 'node';
  readonly backends: readonly BenchBackend[];
  readonly suite: Omit<SuiteOptions, 'backend'>;
  /** For everything; null is no limit. */
  readonly minutes: number | null;
  /** Write the rows there, and the verdicts beside them. */
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

Every case on every backend found, within a time: what does not fit is not run, and its row says why, with an estimate.

  --minutes M               for everything (15); divided among the backends
  --budget SECONDS          a contender may take so long for a case (5)
  --patience SECONDS        a run may take so long (20; a target's own rows may take two to five times as long)
  --runs N                  at most so many measured runs (7)
  --full                    no limits of time: everything, which takes hours on a software adapter
  --quick                   tiny shapes: to see that it works
  --runtime chromium|node   chromium by default; node: a bundle, with the npm package webgpu
  --only A,B,…              names of cases, backends or contenders: ${[...CASES, ...BACKENDS, ...CONTENDERS].join(', ')};
                            a case may be a beginning: --only forward,wasm,ours
  --clock processor         count processor time, not time on the wall: for ratios on a busy machine (Node only)
  --float16 off             WebGPU multiplies in float32 even where the adapter has float16
  --threads N               wasm threads; by default the page's own choice, then the main cases on one thread or several
  --json FILE               the rows as JSON, and the targets beside them: rows.targets.json beside rows.json
  --markdown FILE           the report as Markdown, as bench/RESULTS.md is; what stands between the two comments
                            ${KEEP_FROM} and ${KEEP_TO} in FILE stays
  --from FILE,…             the report from such JSON instead of a run; rows of PyTorch are written by
                            python -m recipe.bench (weights/recipe/README.md)
  --about TEXT              a line on the circumstances for that report
  --bundle DIR              only write the bundle that \`node DIR/bench.cjs > ROWS\` runs, for a machine without this checkout; a JSON
                            argument overrides its options: '{"backend":"wasm"}'. --from reads ROWS`;

/** Throws UsageError with a sentence. */
export function parseOptions(args: readonly string[]): BenchOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      runtime: { type: 'string', default: 'chromium' },
      only: { type: 'string', multiple: true, default: [] },
      quick: { type: 'boolean', default: false },
      full: { type: 'boolean', default: false },
      minutes: { type: 'string' },
      budget: { type: 'string' },
      runs: { type: 'string', default: '7' },
      threads: { type: 'string' },
      float16: { type: 'string', default: 'on' },
      clock: { type: 'string', default: 'wall' },
      patience: { type: 'string' },
      json: { type: 'string' },
      markdown: { type: 'string' },
      from: { type: 'string', multiple: true, default: [] },
      bundle: { type: 'string' },
      about: { type: 'string' },
    },
  });
  const { runtime, clock, quick, full, float16, json, markdown, bundle, about } = values;
  if (runtime !== 'chromium' && runtime !== 'node') {
    throw new UsageError(`--runtime is chromium or node, not ${runtime}.`);
  }
  if (clock !== 'wall' && clock !== 'processor') {
    throw new UsageError(`--clock is wall or processor, not ${clock}.`);
  }
  if (float16 !== 'on' && float16 !== 'off') throw new UsageError(`--float16 is on or off, not ${float16}.`);
  if (clock === 'processor' && runtime !== 'node') {
    throw new UsageError('--clock processor needs --runtime node: a page cannot see its processor time.');
  }
  if (quick && full) throw new UsageError('--quick and --full exclude each other; give one.');
  const only = splitOnly(values.only.flatMap((list) => list.split(',')).filter(Boolean));
  const limited = (name: 'minutes' | 'budget' | 'patience', usual: number): number | null => {
    const text = values[name];
    if (text !== undefined) return positive(`--${name}`, text);
    return full ? null : usual;
  };
  return {
    runtime,
    backends: only.backends.length > 0 ? only.backends : BACKENDS,
    minutes: limited('minutes', 15),
    suite: {
      cases: only.cases,
      contenders: only.contenders,
      quick,
      clock,
      float16: float16 === 'on',
      limits: {
        budget: limited('budget', quick ? 1 : 5) ?? 20,
        patience: limited('patience', quick ? 10 : 20),
        seconds: null,
      },
      mostRuns: positive('--runs', values.runs),
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
    const cases = CASES.filter((one) => one === name || one.startsWith(`${name}-`));
    if (backend) only.backends.push(backend);
    else if (contender) only.contenders.push(contender);
    else if (cases.length > 0) only.cases.push(...cases);
    else throw new UsageError(`--only does not know ${name}; see --help for the names.`);
  }
  return only;
}
