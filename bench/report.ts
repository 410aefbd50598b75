/** The tables that a run prints, in plain text and as Markdown: rows, and the ratios to be reached. */
import type { Row } from './rows';
import { isSoftware } from './suite';
import { type Verdict, verdicts } from './targets';

/** Where and when the rows were measured; the reader of a table needs it. */
export interface Circumstances {
  readonly command: string;
  readonly date: string;
  /** Processor and cores, system, browser or Node, drivers. */
  readonly machine: readonly string[];
}

const MIB = 2 ** 20;

const HEAD = [
  'contender',
  'ms',
  'spread',
  'runs',
  'GFLOP/s',
  'of best matmul',
  'MiB',
  'differs by',
  '',
] as const;

function cells(row: Row): string[] {
  const { ms, gflops, share, bytes, difference, runs, note } = row;
  const measured = ms.median !== null;
  return [
    row.contender,
    number(ms.median),
    ms.min === null || ms.max === null ? '' : `${number(ms.min)}–${number(ms.max)}`,
    measured ? (runs === 0 ? 'warm-up' : String(runs)) : '',
    number(gflops),
    share === null ? '' : `${Math.round(share * 100)}%`,
    bytes === null ? '' : number(bytes / MIB),
    difference === null ? '' : difference.toExponential(1),
    note ?? '',
  ];
}

/** Three digits that count. */
function number(value: number | null): string {
  if (value === null) return '';
  return value >= 100 ? Math.round(value).toLocaleString('en-US') : value.toPrecision(3);
}

/** Rows of one case on one backend belong together. */
function groups(rows: readonly Row[]): Map<string, Row[]> {
  const grouped = new Map<string, Row[]>();
  for (const row of rows) {
    const software = isSoftware(row.adapter) ? ' (software adapter: ratios only)' : '';
    const title = `${row.backend}, ${row.adapter}${software}: ${row.case}, ${row.work}`;
    grouped.set(title, [...(grouped.get(title) ?? []), row]);
  }
  return grouped;
}

function verdictCells({ question, target, values, met }: Verdict): string[] {
  const got = values.map(({ label, value }) => `${value.toPrecision(3)}${label ? ` (${label})` : ''}`);
  const word = met === null ? 'not measured' : met ? 'met' : 'missed';
  return [question, target, got.join(', '), word];
}

const VERDICT_HEAD = ['ratio, from medians of one run', 'target', 'measured, worst first', ''] as const;

export function textReport(rows: readonly Row[]): string {
  const parts = [...groups(rows)].map(([title, group]) => `${title}\n${textTable(HEAD, group.map(cells))}`);
  return [...parts, textTable(VERDICT_HEAD, verdicts(rows).map(verdictCells))].join('\n\n');
}

export function markdownReport(rows: readonly Row[], { command, date, machine }: Circumstances): string {
  const tables = [...groups(rows)].map(
    ([title, group]) => `### ${title}\n\n${markdownTable(HEAD, group.map(cells))}`,
  );
  return `# Measured

\`${command}\`, ${date}.

${machine.map((line) => `- ${line}`).join('\n')}

Contenders of a case run in turn in one run, after a warm-up; the middle of their times counts, the spread is from the
quickest to the slowest. GFLOP/s count products only. MiB are the most bytes of tensors at one moment, weights included;
what onnxruntime-web holds on wasm cannot be seen. "Differs by" is the largest absolute difference from our output.

## To reach

${markdownTable(VERDICT_HEAD, verdicts(rows).map(verdictCells))}

## Rows

${tables.join('\n\n')}
`;
}

function textTable(head: readonly string[], body: readonly string[][]): string {
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
