/**
 * `npm test`: every check of the project, in the order in which they are cheapest to mend. All stages run even
 * when one fails. The last line is `N passed, M failed, K skipped`, summed over unit, fixture and browser tests;
 * any other stage that fails counts as one failure.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ensureBrowser } from './browser';
import { type Counts, noTests, playwrightCounts, sentenceCounts, vitestCounts } from './counts';

interface Stage {
  readonly name: string;
  readonly script: string;
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Reads the numbers of tests from the output or a report; absent where the stage is one check. */
  readonly count?: (output: string) => Counts;
}

interface Outcome {
  readonly stage: string;
  readonly ok: boolean;
  readonly counts: Counts;
  readonly seconds: number;
}

const reports = mkdtempSync(join(tmpdir(), 'mebt-test-'));
const vitestReport = join(reports, 'vitest.json');
const playwrightReport = join(reports, 'playwright.json');

const STAGES: readonly Stage[] = [
  { name: 'lint', script: 'lint' },
  { name: 'format', script: 'format:check' },
  { name: 'types', script: 'types' },
  {
    name: 'unit',
    script: 'test:unit',
    args: ['--reporter=default', '--reporter=json', `--outputFile.json=${vitestReport}`],
    count: () => vitestCounts(vitestReport),
  },
  { name: 'fixtures', script: 'test:golden', count: sentenceCounts },
  { name: 'build', script: 'build' },
  {
    name: 'browser',
    script: 'test:e2e',
    args: ['--reporter=list,json'],
    env: { PLAYWRIGHT_JSON_OUTPUT_NAME: playwrightReport },
    count: () => playwrightCounts(playwrightReport),
  },
];

/** The stage under way, so that it does not outlive an interrupted run. */
let running: ChildProcess | undefined;
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    running?.kill(signal);
    rmSync(reports, { recursive: true, force: true });
    process.exit(130);
  });
}

/** Runs `npm run <script>`, shows its output as it comes and returns it with the exit status. */
function runScript(stage: Stage): Promise<{ output: string; status: number }> {
  return new Promise((resolve) => {
    const child = spawn('npm', ['run', '--silent', stage.script, '--', ...(stage.args ?? [])], {
      env: { ...process.env, ...stage.env },
      stdio: ['ignore', 'pipe', 'pipe'],
      shell: process.platform === 'win32',
    });
    running = child;
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk: Buffer) => {
        output += chunk.toString();
        process.stdout.write(chunk);
      });
    }
    child.on('error', (error) => resolve({ output: `${output}${error.message}`, status: 1 }));
    child.on('close', (status) => resolve({ output, status: status ?? 1 }));
  });
}

async function runStage(stage: Stage): Promise<Outcome> {
  console.log(`\n── ${stage.name}: npm run ${stage.script}`);
  const started = performance.now();
  const { output, status } = await runScript(stage);
  const counts = countOf(stage, output);
  // A stage that broke without one failed test (a crash, a lint error) is itself the failure.
  const failed = status !== 0 && counts.failed === 0 ? 1 : counts.failed;
  return {
    stage: stage.name,
    ok: status === 0 && failed === 0,
    counts: { ...counts, failed },
    seconds: (performance.now() - started) / 1000,
  };
}

function countOf(stage: Stage, output: string): Counts {
  if (!stage.count) return noTests;
  try {
    return stage.count(output);
  } catch (error) {
    console.error(`${stage.name}: no count of tests: ${error instanceof Error ? error.message : error}`);
    return { passed: 0, failed: 1, skipped: 0 };
  }
}

function printSummary(outcomes: readonly Outcome[]): Counts {
  console.log('\n── summary');
  let total = noTests;
  for (const { stage, ok, counts, seconds } of outcomes) {
    const tests = counts.passed + counts.failed + counts.skipped;
    const detail =
      tests > 0 ? `  ${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped` : '';
    console.log(`${ok ? 'ok    ' : 'FAILED'} ${stage.padEnd(9)}${seconds.toFixed(1).padStart(6)} s${detail}`);
    total = {
      passed: total.passed + counts.passed,
      failed: total.failed + counts.failed,
      skipped: total.skipped + counts.skipped,
    };
  }
  return total;
}

const outcomes: Outcome[] = [];
for (const stage of STAGES) {
  if (stage.name === 'fixtures' || stage.name === 'browser') {
    // Found (or installed) once, here, so that the stages that need a browser agree on which one.
    process.env.CHROME_PATH ??= ensureBrowser();
  }
  outcomes.push(await runStage(stage));
}
rmSync(reports, { recursive: true, force: true });
const total = printSummary(outcomes);
process.exitCode = outcomes.every((outcome) => outcome.ok) ? 0 : 1;
console.log(`${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
