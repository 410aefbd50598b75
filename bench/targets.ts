/** The ratios that are to be reached, computed from rows: what they are, what is asked, and whether it is met. */
import { growthOf } from '../src/config/comparison';
import { type BenchBackend, type CaseName, type ContenderName, medianOf, type Row } from './rows';
import { isSoftware } from './suite';

export interface Verdict {
  readonly question: string;
  readonly target: string;
  /** One for each case that was measured, worst first. */
  readonly values: readonly { readonly label: string; readonly value: number }[];
  /** Of all values; null where nothing was measured. */
  readonly met: boolean | null;
}

const FORWARDS: readonly CaseName[] = ['forward-1024', 'forward-2048', 'forward-4096', 'forward-8192'];
const DECODES: readonly CaseName[] = ['decode-16', 'decode-64', 'decode-128'];

interface Asked {
  readonly backend: BenchBackend;
  readonly against: ContenderName;
  readonly cases: readonly CaseName[];
  /** Least ratio of the other's time to ours. */
  readonly least: (software: boolean) => number;
}

const SPEED: readonly (Asked & { readonly what: string })[] = [
  {
    what: 'forward',
    backend: 'webgpu',
    against: 'tfjs-stock',
    cases: FORWARDS,
    least: (soft) => (soft ? 5 : 3),
  },
  {
    what: 'forward',
    backend: 'webgpu',
    against: 'onnxruntime-web',
    cases: FORWARDS,
    least: (soft) => (soft ? 3 : 1.5),
  },
  { what: 'forward', backend: 'wasm', against: 'onnxruntime-web', cases: FORWARDS, least: () => 0.95 },
  { what: 'decode', backend: 'webgpu', against: 'tfjs-stock', cases: DECODES, least: () => 10 },
  { what: 'decode', backend: 'webgpu', against: 'onnxruntime-web', cases: DECODES, least: () => 5 },
  { what: 'decode', backend: 'wasm', against: 'onnxruntime-web', cases: DECODES, least: () => 1 },
];

/** Verdicts of all questions that the rows bear on; the others say that nothing was measured. */
export function verdicts(rows: readonly Row[]): Verdict[] {
  const backends = [...new Set(rows.map(({ backend }) => backend))].filter((one) => one !== 'cuda');
  return [
    ...SPEED.map((asked) => speedVerdict(rows, asked)),
    ...backends.flatMap((backend) => familyVerdicts(rows, backend)),
    bytesVerdict(rows),
    pytorchVerdict(rows),
  ];
}

const find = (
  rows: readonly Row[],
  name: CaseName,
  backend: Row['backend'],
  contender: ContenderName,
): Row | undefined =>
  rows.find((row) => row.case === name && row.backend === backend && row.contender === contender);

/** a / b where both were measured. */
const ratio = (a: number | null | undefined, b: number | null | undefined): number[] =>
  a && b ? [a / b] : [];

function speedVerdict(
  rows: readonly Row[],
  { what, backend, against, cases, least }: Asked & { what: string },
): Verdict {
  const software = rows.some((row) => row.backend === backend && isSoftware(row.adapter));
  const limit = least(software);
  const values = cases.flatMap((name) =>
    ratio(medianOf(find(rows, name, backend, against)), medianOf(find(rows, name, backend, 'ours'))).map(
      (value) => ({
        label: name,
        value,
      }),
    ),
  );
  return atLeast(`${what}, ${backend}: times as fast as ${against}`, limit, values);
}

function familyVerdicts(rows: readonly Row[], backend: BenchBackend): Verdict[] {
  const at = (name: CaseName, contender: ContenderName): Row | undefined =>
    find(rows, name, backend, contender);
  const ours = FORWARDS.flatMap((name) => {
    const ms = medianOf(at(name, 'ours'));
    return ms === null ? [] : [{ tokens: Number(name.slice('forward-'.length)), milliseconds: ms }];
  });
  const growth = ratio(medianOf(at('forward-8192', 'ours')), medianOf(at('forward-1024', 'ours')));
  const exponent = growthOf(ours)?.exponent;
  const labelled = (label: string, values: readonly number[]) => values.map((value) => ({ label, value }));
  const [most, dense] = [at('forward-8192', 'ours'), at('forward-8192', 'dense')];
  return [
    atMost(
      `forward, ${backend}: time at 8,192 over time at 1,024 tokens${exponent === undefined ? '' : ` (exponent ${exponent.toFixed(2)})`}`,
      8.5,
      labelled('', growth),
    ),
    atLeast(
      `forward, ${backend}: times as fast as dense at 8,192 tokens`,
      5,
      labelled('', ratio(medianOf(dense), medianOf(most))),
    ),
    atLeast(
      `forward, ${backend}: dense's memory beyond the weights over MeBT's at 8,192 tokens`,
      3,
      labelled('', ratio(dense?.activationBytes, most?.activationBytes)),
    ),
  ];
}

function bytesVerdict(rows: readonly Row[]): Verdict {
  const weights = (contender: ContenderName): number | null => {
    const row = find(rows, 'forward-2048', 'webgpu', contender);
    return row && row.bytes !== null && row.activationBytes !== null ? row.bytes - row.activationBytes : null;
  };
  const values = ratio(weights('ours'), weights('tfjs-stock')).map((value) => ({ label: '', value }));
  return atMost('weights on the device, webgpu: int8 over float32 bytes', 0.3, values);
}

function pytorchVerdict(rows: readonly Row[]): Verdict {
  const torch = rows.find(({ contender, case: name }) => contender === 'pytorch' && name === 'forward-8192');
  const ours = find(rows, 'forward-8192', 'webgpu', 'ours');
  const values = ratio(medianOf(torch), medianOf(ours)).map((value) => ({ label: '', value }));
  return atLeast('forward at 8,192 tokens on a GPU: share of PyTorch float16', 0.4, values);
}

type Values = Verdict['values'];

function atLeast(question: string, limit: number, values: Values): Verdict {
  const worstFirst = values.toSorted((a, b) => a.value - b.value);
  const met = values.length === 0 ? null : values.every(({ value }) => value >= limit);
  return { question, target: `≥ ${limit}`, values: worstFirst, met };
}

function atMost(question: string, limit: number, values: Values): Verdict {
  const worstFirst = values.toSorted((a, b) => b.value - a.value);
  const met = values.length === 0 ? null : values.every(({ value }) => value <= limit);
  return { question, target: `≤ ${limit}`, values: worstFirst, met };
}
