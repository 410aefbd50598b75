/** The tables that a run prints, in plain text and as Markdown: rows, and the ratios to be reached. */
import { CASES, isSoftware, type Row } from './rows';
import { type Verdict, verdicts } from './targets';

/** Where and when the rows were measured; the reader of a table needs it. */
export interface Circumstances {
  readonly command: string;
  readonly date: string;
  /** Processor and cores, system, browser or Node, drivers. */
  readonly machine: readonly string[];
}

const MIB = 2 ** 20;

/** What stands between them in a Markdown report stays when the report is made again. */
export const KEEP_FROM = '<!-- kept -->';
export const KEEP_TO = '<!-- /kept -->';

/** The kept part of an earlier report, with its comments; empty where there is none. */
export function keptOf(markdown: string): string {
  const [start, end] = [markdown.indexOf(KEEP_FROM), markdown.indexOf(KEEP_TO)];
  return start < 0 || end < start ? '' : markdown.slice(start, end + KEEP_TO.length);
}

const HEAD = [
  'contender',
  'ms',
  'spread',
  'runs',
  'GFLOP/s',
  'of best matmul',
  'peak MiB',
  'beyond weights',
  'differs by',
  '',
] as const;

function cells(row: Row): string[] {
  const { ms, gflops, share, bytes, activationBytes, difference, runs } = row;
  const measured = ms.median !== null;
  return [
    row.contender,
    number(ms.median),
    ms.min === null || ms.max === null ? '' : `${number(ms.min)}–${number(ms.max)}`,
    measured ? (runs === 0 ? 'warm-up' : String(runs)) : '',
    number(gflops),
    share === null ? '' : `${Math.round(share * 100)}%`,
    bytes === null ? '' : number(bytes / MIB),
    activationBytes === null ? '' : number(activationBytes / MIB),
    difference === null ? '' : difference.toExponential(1),
    remark(row),
  ];
}

function remark({ note, growth }: Row): string {
  if (!growth) return note ?? '';
  return `${note ? `${note}; ` : ''}${growth.tensors} tensors and ${growth.bytes} bytes more than before`;
}

/** Three digits that count. */
function number(value: number | null): string {
  if (value === null) return '';
  return value >= 100 ? Math.round(value).toLocaleString('en-US') : value.toPrecision(3);
}

/** Rows of one case on one backend belong together; backends as they came, cases in their order. */
function groups(rows: readonly Row[]): Map<string, Row[]> {
  const grouped = new Map<string, Row[]>();
  const groundOf = ({ backend, adapter }: Row): string => `${backend} ${adapter}`;
  const grounds = [...new Set(rows.map(groundOf))];
  const placeOf = (row: Row): number =>
    grounds.indexOf(groundOf(row)) * CASES.length + CASES.indexOf(row.case);
  const inOrder = rows.toSorted((a, b) => placeOf(a) - placeOf(b));
  for (const row of inOrder) {
    const software = isSoftware(row.adapter) ? ' (software adapter: ratios only)' : '';
    const title = `${row.backend}, ${row.adapter}${software}: ${row.case}, ${row.work}`;
    grouped.set(title, [...(grouped.get(title) ?? []), row]);
  }
  return grouped;
}

function verdictCells({ question, target, values, met, elsewhere }: Verdict): string[] {
  const got = values.map(
    ({ label, value, estimated }) =>
      `${estimated ? '~' : ''}${Number(value.toPrecision(3))}${label ? ` (${label}${estimated ? ', est.' : ''})` : ''}`,
  );
  const none = elsewhere ?? (values.length > 0 ? 'estimated only' : 'not measured');
  const word = met === null ? none : met ? 'met' : 'missed';
  return [question, target, got.join(', '), word];
}

const VERDICT_HEAD = ['ratio, from medians of one run', 'target', 'measured, worst first', ''] as const;
const TARGETS = 'Targets';

export function textReport(rows: readonly Row[]): string {
  const parts = [...groups(rows)].map(([title, group]) => `${title}\n${textTable(HEAD, group.map(cells))}`);
  return [...parts, `${TARGETS}\n${textTable(VERDICT_HEAD, verdicts(rows).map(verdictCells))}`].join('\n\n');
}

/** `kept` comes after the circumstances. */
export function markdownReport(
  rows: readonly Row[],
  { command, date, machine }: Circumstances,
  kept = '',
): string {
  const tables = [...groups(rows)].map(
    ([title, group]) => `### ${title}\n\n${markdownTable(HEAD, group.map(cells))}`,
  );
  return `# Measured

\`${command}\`, ${date}.

${machine.map((line) => `- ${line}`).join('\n')}
${kept ? `\n${kept}\n` : ''}
Contenders of a case run in turn in one run, after a warm-up; the middle of their times counts, the spread is from the
quickest to the slowest. "warm-up" for the number of runs: there was time for that one only. GFLOP/s count products only;
their share is of the best product of two matrices on the same adapter. Peak MiB are the most bytes of tensors at one
moment, weights included (onnxruntime-web on WebGPU: of the buffers of its device, pools included; on wasm it does not let
its memory be seen). "Differs by" is the largest absolute difference from our output.

## ${TARGETS}

${markdownTable(VERDICT_HEAD, verdicts(rows).map(verdictCells))}

## Rows

${tables.join('\n\n')}
`;
}

/** Columns side by side. */
export function textTable(head: readonly string[], body: readonly string[][]): string {
  const lines = [[...head], ...body];
  const widths = head.map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)));
  return lines
    .map((line) => `  ${line.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join('  ')}`.trimEnd())
    .join('\n');
}

function markdownTable(head: readonly string[], body: readonly string[][]): string {
  const line = (columns: readonly string[]): string =>
    `| ${columns.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...body.map(line)].join('\n');
}
