import { spawn } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { canMeasure, costsOf, descendants } from './processes';
import { type ConversionRow, shortcomings, tableOf } from './table';

const row: ConversionRow = {
  runtime: 'Node 20',
  quantization: 'int8',
  seconds: 60,
  processes: [{ kind: 'process', peakBytes: 3e8, processorSeconds: 21 }],
  modelBytes: 387e6,
  hash: 'a'.repeat(64),
};

describe('the table of conversions', () => {
  it('has a line for each, and says what the system does not tell', () => {
    const lines = tableOf([row, { ...row, runtime: 'Chromium', processes: [] }]).split('\n');
    expect(lines).toHaveLength(3);
    expect(lines[1]).toMatch(/^Node 20 +int8 +60\.0 s +process 21\.0 s +process 300 MB +387 MB +a{12}$/);
    expect(lines[2]).toMatch(/^Chromium .*not known +not known/);
  });

  it('tells time, memory and bytes that are not as asked for', () => {
    expect(shortcomings([row, { ...row, runtime: 'Chromium' }])).toEqual([]);
    expect(shortcomings([{ ...row, seconds: 121 }])).toEqual([
      expect.stringContaining('121 s, more than 120'),
    ]);
    const processes = [{ kind: 'renderer', peakBytes: 1.2e9, processorSeconds: 1 }];
    expect(shortcomings([{ ...row, processes }])).toEqual([expect.stringContaining('1200 MB resident')]);
    expect(shortcomings([row, { ...row, hash: 'b' }])).toEqual([expect.stringContaining('another model')]);
  });
});

describe.runIf(canMeasure())('the cost of a process', () => {
  it('is that of a child of ours while it lives', async () => {
    const code = 'const kept = Buffer.alloc(2e8, 1); console.log(kept.length); setInterval(() => kept, 1e6)';
    const child = spawn(process.execPath, ['-e', code]);
    try {
      await new Promise((resolve) => child.stdout.once('data', resolve));
      expect(descendants()).toContain(child.pid);
      const cost = costsOf(descendants()).get(child.pid ?? 0);
      expect(cost?.peakBytes).toBeGreaterThan(2e8);
      expect(cost?.peakBytes).toBeLessThan(6e8);
    } finally {
      child.kill();
    }
  });
});
