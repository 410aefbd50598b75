/** What a conversion took, as a table, and whether that is what was asked for. */
import type { Quantization } from '../../src/loader/convert';
import type { ProcessCost } from './processes';

export interface ConversionRow {
  readonly runtime: string;
  readonly quantization: Quantization;
  /** From the start to the end, on the clock. */
  readonly seconds: number;
  /** The one that converts first, the busiest of the others after it; empty where the system does not say. */
  readonly processes: readonly ProcessCost[];
  /** Manifest's shards. */
  readonly modelBytes: number;
  /** The manifest's. */
  readonly hash: string;
}

/** On two cores that nothing else uses. */
const MOST_SECONDS = 120;
/** Of the process that converts. */
const MOST_RESIDENT = 1e9;

export function tableOf(rows: readonly ConversionRow[]): string {
  const cells = rows.map((row) => [
    row.runtime,
    row.quantization,
    `${row.seconds.toFixed(1)} s`,
    listOf(row, ({ processorSeconds }) => `${processorSeconds.toFixed(1)} s`),
    listOf(row, ({ peakBytes }) => megabytes(peakBytes)),
    megabytes(row.modelBytes),
    row.hash.slice(0, 12),
  ]);
  const head = ['runtime', 'quantization', 'clock', 'processor', 'resident at most', 'model', 'manifest'];
  const widths = head.map((title, i) => Math.max(title.length, ...cells.map((line) => line[i]?.length ?? 0)));
  const text = [head, ...cells].map((line) => line.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join('  '));
  return text.map((line) => line.trimEnd()).join('\n');
}

function listOf({ processes }: ConversionRow, show: (cost: ProcessCost) => string): string {
  return processes.map((cost) => `${cost.kind} ${show(cost)}`).join(', ') || 'not known';
}

/** One sentence for each thing that is not as asked for. */
export function shortcomings(rows: readonly ConversionRow[]): string[] {
  const found = rows.flatMap(({ runtime, quantization, seconds, processes }) => {
    const run = `${runtime}, ${quantization}`;
    const resident = processes[0]?.peakBytes ?? 0;
    return [
      ...(seconds > MOST_SECONDS
        ? [`${run} took ${seconds.toFixed(0)} s, more than ${MOST_SECONDS} s on two idle cores`]
        : []),
      ...(resident > MOST_RESIDENT
        ? [`${run} had ${megabytes(resident)} resident, more than ${megabytes(MOST_RESIDENT)}`]
        : []),
    ];
  });
  const hashes = new Map<string, string>();
  for (const { runtime, quantization, hash } of rows) {
    const other = hashes.get(quantization) ?? hash;
    hashes.set(quantization, other);
    if (other !== hash)
      found.push(`${runtime}, ${quantization} made another model than the runtime before it`);
  }
  return found;
}

const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(0)} MB`;
