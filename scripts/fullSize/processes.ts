/**
 * What the processes that a program started take: resident memory and processor time, from /proc. Linux only; elsewhere
 * nothing is measured, and nothing is made up.
 */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';

export interface ProcessCost {
  /** As Chromium names its own (`renderer`, `utility`, …), or `browser` for the one that started them. */
  readonly kind: string;
  /** Most bytes resident since the last reset, those shared with other processes included. */
  readonly peakBytes: number;
  /** User and system, since the process began. */
  readonly processorSeconds: number;
}

export const canMeasure = (): boolean => existsSync('/proc/self/status');

/** Clock ticks of a second in /proc: USER_HZ, which is 100 on every Linux. */
const TICKS = 100;

/** Every process below `root`, not `root` itself. */
export function descendants(root: number = process.pid): number[] {
  const children = new Map<number, number[]>();
  for (const name of readdirSync('/proc')) {
    const stat = /^\d+$/.test(name) ? statOf(Number(name)) : null;
    if (stat) children.set(stat.parent, [...(children.get(stat.parent) ?? []), Number(name)]);
  }
  const found: number[] = [];
  for (const waiting = [root]; waiting.length > 0; ) {
    const below = children.get(waiting.pop() ?? 0) ?? [];
    found.push(...below);
    waiting.push(...below);
  }
  return found;
}

/** Peaks begin anew. */
export function resetPeaks(processes: readonly number[]): void {
  for (const pid of processes) {
    try {
      writeFileSync(`/proc/${pid}/clear_refs`, '5');
    } catch {
      // It has ended, or the system does not allow it: then its peak is that of its whole life.
    }
  }
}

/** Of those that still live. */
export function costsOf(processes: readonly number[]): Map<number, ProcessCost> {
  const costs = new Map<number, ProcessCost>();
  for (const pid of processes) {
    const stat = statOf(pid);
    const peak = /^VmHWM:\s+(\d+) kB/m.exec(read(`/proc/${pid}/status`) ?? '')?.[1];
    if (!stat || !peak) continue;
    const kind = /--type=([\w-]+)/.exec(read(`/proc/${pid}/cmdline`) ?? '')?.[1] ?? 'browser';
    costs.set(pid, { kind, peakBytes: 1024 * Number(peak), processorSeconds: stat.ticks / TICKS });
  }
  return costs;
}

function statOf(pid: number): { parent: number; ticks: number } | null {
  // The name in brackets may hold anything; the fields that follow are: state, parent, …, utime (12th), stime.
  const fields = read(`/proc/${pid}/stat`)?.split(') ').at(-1)?.split(' ');
  return fields ? { parent: Number(fields[1]), ticks: Number(fields[11]) + Number(fields[12]) } : null;
}

function read(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null;
  }
}
