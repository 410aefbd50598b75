/** The ratios that are to be reached, computed from rows: what they are, what is asked, and whether it is met. */
import { growthOf } from '../src/config/comparison';
import { type BenchBackend, type CaseName, type ContenderName, isSoftware, medianOf, type Row } from './rows';

export interface Verdict {
  readonly question: string;
  readonly target: string;
  /** One for each case that was measured, worst first. */
  readonly values: readonly Value[];
  /** Of all values that are no estimates; null where nothing was measured. */
  readonly met: boolean | null;
  /** What shows it, where rows do not. */
  readonly elsewhere?: string;
}

export interface Value {
  readonly label: string;
  readonly value: number;
  /** A time in it is what a run was expected to take; it was not run. */
  readonly estimated?: true;
}

const FORWARDS: readonly CaseName[] = ['forward-1024', 'forward-2048', 'forward-4096', 'forward-8192'];
const NARROW: readonly CaseName[] = ['narrow-1024', 'narrow-2048', 'narrow-4096', 'narrow-8192'];
const PROBES: readonly CaseName[] = ['forward-128', 'decode-16-small'];
const DECODES: readonly CaseName[] = ['decode-16', 'decode-64', 'decode-128'];

interface Asked {
  readonly what: string;
  readonly backend: BenchBackend;
  readonly against: ContenderName;
  readonly cases: readonly CaseName[];
  /** Least ratio of the other's time to ours. */
  readonly least: (software: boolean) => number;
}

const onWebGpu = (what: string, against: ContenderName, least: Asked['least']): Asked => {
  const cases = what === 'forward' ? [...FORWARDS, ...NARROW] : DECODES;
  return { what, backend: 'webgpu', against, cases, least };
};

const SPEED: readonly Asked[] = [
  onWebGpu('forward', 'tfjs-stock', (software) => (software ? 5 : 3)),
  onWebGpu('forward', 'onnxruntime-web', (software) => (software ? 3 : 1.5)),
  { what: 'forward', backend: 'wasm', against: 'onnxruntime-web', cases: FORWARDS, least: () => 0.95 },
  onWebGpu('decode', 'tfjs-stock', () => 10),
  onWebGpu('decode', 'onnxruntime-web', () => 5),
  { what: 'decode', backend: 'wasm', against: 'onnxruntime-web', cases: DECODES, least: () => 1 },
];

/** Verdicts of all questions; those that no row bears on say that nothing was measured. */
export function verdicts(rows: readonly Row[]): Verdict[] {
  return [
    ...SPEED.flatMap((asked) => speedVerdicts(rows, asked)),
    ...(['webgpu', 'wasm', 'cpu'] as const).map((backend) => growthVerdict(rows, backend)),
    ...(['webgpu', 'wasm'] as const).flatMap((backend) => denseVerdicts(rows, backend)),
    bytesVerdict(rows),
    {
      question: 'int8 against float32: largest difference of logits, share of equal tokens step by step',
      target: '≥ 0.99 of tokens',
      values: [],
      met: null,
      elsewhere: 'by npm run compare-weights, bench/compareWeights/recording.test.ts',
    },
    pytorchVerdict(rows),
    repeatVerdict(rows),
  ];
}

/** Rows of one backend on one adapter, or on so many threads. */
interface Ground {
  readonly adapter: string;
  readonly find: (name: CaseName, contender: ContenderName) => Row | undefined;
}

function groundsOf(rows: readonly Row[], backend: BenchBackend): Ground[] {
  const mine = rows.filter((row) => row.backend === backend && row.contender !== 'pytorch');
  return [...new Set(mine.map(({ adapter }) => adapter))].map((adapter) => ({
    adapter,
    find: (name, contender) =>
      mine.find((row) => row.case === name && row.contender === contender && row.adapter === adapter),
  }));
}

/** The adapter in words, where there are several. */
const labelOf = (name: string, { adapter }: Ground, grounds: readonly Ground[]): string =>
  grounds.length > 1 ? `${name}, ${adapter}` : name;

/** Time of a over time of b; what was not run for want of time counts with what it was expected to take. */
function timeRatio(a: Row | undefined, b: Row | undefined, label: string): Value[] {
  const [over, under] = [medianOf(a), medianOf(b)];
  if (over !== null && under !== null) return [{ label, value: over / under }];
  const [expected, base] = [over ?? a?.estimate, under ?? b?.estimate];
  // An estimate against an estimate says nothing about either.
  if (!expected || !base || (over === null && under === null)) return [];
  return [{ label, value: expected / base, estimated: true }];
}

/** On WebGPU one for software adapters and one for others, as far as there are rows of either. */
function speedVerdicts(rows: readonly Row[], asked: Asked): Verdict[] {
  const { what, backend, against, cases, least } = asked;
  const grounds = groundsOf(rows, backend);
  const kinds = [true, false].map((software) =>
    grounds.filter(({ adapter }) => isSoftware(adapter) === software),
  );
  const [soft = [], hard = []] = kinds;
  const verdict = (some: readonly Ground[], software: boolean, on: string): Verdict => {
    // Probes are too small to tell anything of a GPU, and all that software adapters compare of the model itself.
    const all = software ? [...PROBES.filter((name) => name.startsWith(what)), ...cases] : cases;
    const values = some.flatMap((ground) =>
      all.flatMap((name) =>
        timeRatio(ground.find(name, against), ground.find(name, 'ours'), labelOf(name, ground, some)),
      ),
    );
    return atLeast(`${what}, ${on}: times as fast as ${against}`, least(software), values);
  };
  if (backend !== 'webgpu') return [verdict(grounds, false, backend)];
  return [
    ...(soft.length > 0 ? [verdict(soft, true, 'webgpu on a software adapter')] : []),
    ...(hard.length > 0 || soft.length === 0 ? [verdict(hard, false, 'webgpu on a GPU')] : []),
  ];
}

function growthVerdict(rows: readonly Row[], backend: BenchBackend): Verdict {
  const grounds = groundsOf(rows, backend);
  const values = grounds.flatMap((ground) =>
    [FORWARDS, NARROW].flatMap((cases) => {
      const [first, last] = [cases[0], cases.at(-1)];
      if (!first || !last) return [];
      const points = cases.flatMap((name) => {
        const ms = medianOf(ground.find(name, 'ours'));
        return ms === null ? [] : [{ tokens: Number(name.slice(name.indexOf('-') + 1)), milliseconds: ms }];
      });
      const growth = growthOf(points);
      const exponent = growth ? `, exponent ${growth.exponent.toFixed(2)}` : '';
      const label = `${labelOf(first.slice(0, first.indexOf('-')), ground, grounds)}${exponent}`;
      return timeRatio(ground.find(last, 'ours'), ground.find(first, 'ours'), label);
    }),
  );
  return atMost(`forward, ${backend}: time at 8,192 over time at 1,024 tokens`, 8.5, values);
}

function denseVerdicts(rows: readonly Row[], backend: BenchBackend): Verdict[] {
  const grounds = groundsOf(rows, backend);
  const each = (ratio: (dense: Row | undefined, ours: Row | undefined, label: string) => Value[]): Value[] =>
    grounds.flatMap((ground) =>
      (['forward-8192', 'narrow-8192'] as const).flatMap((name) =>
        ratio(ground.find(name, 'dense'), ground.find(name, 'ours'), labelOf(name, ground, grounds)),
      ),
    );
  const bytes =
    (field: 'bytes' | 'activationBytes') =>
    (dense: Row | undefined, ours: Row | undefined, label: string): Value[] => {
      const [over, under] = [dense?.[field], ours?.[field]];
      return over && under ? [{ label, value: over / under }] : [];
    };
  const beginning = `forward, ${backend}, against dense at 8,192 tokens`;
  return [
    atLeast(`${beginning}: times as fast`, 5, each(timeRatio)),
    atLeast(`${beginning}: times less peak memory beyond the weights`, 3, each(bytes('activationBytes'))),
    atLeast(`${beginning}: times less peak memory, weights included`, 3, each(bytes('bytes'))),
  ];
}

function bytesVerdict(rows: readonly Row[]): Verdict {
  const grounds = groundsOf(rows, 'webgpu');
  const weights = (row: Row | undefined): number =>
    row && row.bytes !== null && row.activationBytes !== null ? row.bytes - row.activationBytes : Number.NaN;
  const values = grounds.flatMap((ground) =>
    (['forward-128', 'forward-1024'] as const).flatMap((name) => {
      const value = weights(ground.find(name, 'ours')) / weights(ground.find(name, 'tfjs-stock'));
      return value > 0 ? [{ label: labelOf(name, ground, grounds), value }] : [];
    }),
  );
  return atMost('transformer on the device, webgpu: int8 over float32 bytes', 0.3, values);
}

function pytorchVerdict(rows: readonly Row[]): Verdict {
  const torch = rows.find(
    ({ contender, case: name, backend }) =>
      contender === 'pytorch' && name === 'official-8192' && backend === 'cuda',
  );
  const grounds = groundsOf(rows, 'webgpu').filter(({ adapter }) => !isSoftware(adapter));
  const values = grounds.flatMap((ground) =>
    timeRatio(torch, ground.find('official-8192', 'ours'), labelOf('official-8192', ground, grounds)),
  );
  const question = 'forward of the official size, webgpu on a GPU: speed over that of PyTorch float16';
  return atLeast(question, 0.4, values);
}

function repeatVerdict(rows: readonly Row[]): Verdict {
  const values = rows.flatMap(({ backend, adapter, growth }) =>
    growth
      ? [
          { label: `tensors, ${backend} (${adapter})`, value: growth.tensors },
          { label: `bytes, ${backend} (${adapter})`, value: growth.bytes },
        ]
      : [],
  );
  const { question, met } = atMost('20 generations in a row: growth of tensors and bytes', 0, values);
  return { question, target: '0', values, met };
}

function atLeast(question: string, limit: number, values: readonly Value[]): Verdict {
  const worstFirst = values.toSorted((a, b) => a.value - b.value);
  return {
    question,
    target: `≥ ${limit}`,
    values: worstFirst,
    met: everyMeasured(values, (value) => value >= limit),
  };
}

function atMost(question: string, limit: number, values: readonly Value[]): Verdict {
  const worstFirst = values.toSorted((a, b) => b.value - a.value);
  return {
    question,
    target: `≤ ${limit}`,
    values: worstFirst,
    met: everyMeasured(values, (value) => value <= limit),
  };
}

function everyMeasured(values: readonly Value[], holds: (value: number) => boolean): boolean | null {
  const measured = values.filter(({ estimated }) => !estimated);
  return measured.length === 0 ? null : measured.every(({ value }) => holds(value));
}
