/** The counts that decide `npm test`'s last line. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { playwrightCounts, sentenceCounts, vitestCounts } from './counts';

const folder = mkdtempSync(join(tmpdir(), 'counts-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function report(content: unknown): string {
  const path = join(folder, 'report.json');
  writeFileSync(path, JSON.stringify(content));
  return path;
}

describe('counts', () => {
  it('takes the last sentence of an output', () => {
    expect(sentenceCounts('1 passed, 0 failed, 0 skipped\nmore\n12 passed, 3 failed, 4 skipped\n')).toEqual({
      passed: 12,
      failed: 3,
      skipped: 4,
    });
  });

  it('refuses an output without the sentence', () => {
    expect(() => sentenceCounts('all good')).toThrow(/N passed/);
  });

  it('counts a vitest file that does not load as a failure', () => {
    const path = report({
      numPassedTests: 5,
      numFailedTests: 1,
      numPendingTests: 2,
      numTodoTests: 1,
      testResults: [
        { status: 'failed', assertionResults: [{ status: 'failed' }] },
        { status: 'failed', assertionResults: [] },
        { status: 'passed', assertionResults: [{ status: 'passed' }] },
      ],
    });
    expect(vitestCounts(path)).toEqual({ passed: 5, failed: 2, skipped: 3 });
  });

  it('counts a flaky browser test and a run that could not start as failures', () => {
    const stats = { expected: 3, unexpected: 1, flaky: 1, skipped: 2 };
    expect(playwrightCounts(report({ stats, errors: [] }))).toEqual({ passed: 3, failed: 2, skipped: 2 });
    const empty = { expected: 0, unexpected: 0, flaky: 0, skipped: 0 };
    expect(playwrightCounts(report({ stats: empty, errors: ['no server'] })).failed).toBe(1);
  });
});
