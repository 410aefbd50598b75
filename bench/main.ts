/** `npm run bench`: reads the command line, has the suite run in Chromium or Node, prints and writes what it measured. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus, platform, release, totalmem } from 'node:os';
import { UsageError } from '../scripts/commandLine';
import { HELP, parseOptions } from './options';
import { passesOf, suiteOptionsOf } from './passes';
import { type Circumstances, keptOf, markdownReport, textReport } from './report';
import type { BenchBackend, Row } from './rows';
import { runInChromium } from './runtimes/chromium';
import type { Message } from './runtimes/message';
import { runInNode } from './runtimes/node';
import { writeBundle } from './runtimes/node/bundle';
import { verdicts } from './targets';

const args = process.argv.slice(2);
if (args.includes('--help')) {
  console.log(HELP);
  process.exit(0);
}

function writeJson(file: string, value: unknown): void {
  writeFileSync(file, `${JSON.stringify(value, null, 1)}\n`);
}

/** Of a list of rows, or of the lines that the Node bundle wrote. */
function rowsOf(text: string): Row[] {
  if (text.trimStart().startsWith('[')) return JSON.parse(text) as Row[];
  const lines = text.split('\n').filter((line) => line.startsWith('{"type":"rows"'));
  return lines.flatMap((line) => {
    const message = JSON.parse(line) as Message;
    return message.type === 'rows' ? message.rows : [];
  });
}

/** The rows, and which backends failed, in words. */
async function measure(
  options: ReturnType<typeof parseOptions>,
): Promise<{ rows: Row[]; failed: string[]; by: string }> {
  const rows: Row[] = [];
  const failed: string[] = [];
  const receive = (message: Message, backend: BenchBackend): void => {
    switch (message.type) {
      case 'log':
        console.log(`  ${message.line}`);
        break;
      case 'rows':
        rows.push(...message.rows);
        for (const { case: name, contender, ms } of message.rows) {
          console.log(
            `  ${name} ${contender}: ${ms.median === null ? 'not run' : `${ms.median.toFixed(1)} ms`}`,
          );
        }
        if (options.json) writeJson(options.json, rows);
        break;
      case 'failed':
        failed.push(`${backend} failed: ${message.message.split('\n')[0]}`);
        console.log(`${backend}: ${message.message}`);
        break;
      case 'done':
        break;
      default:
        message satisfies never;
    }
  };
  const run = options.runtime === 'node' ? runInNode : runInChromium;
  const began = performance.now();
  const spent = (): number => (performance.now() - began) / 1000;
  const passes = passesOf(options, cpus().length);
  const by = await run(
    passes.map((_, i) => () => suiteOptionsOf(options, passes, i, spent())),
    receive,
  );
  console.log(`\n${(spent() / 60).toFixed(1)} minutes`);
  return { rows, failed, by };
}

function circumstances(rows: readonly Row[], notes: readonly string[]): Circumstances {
  const asked = args.filter((arg, i) => arg !== '--about' && args[i - 1] !== '--about'); // it has a line of its own
  const processors = cpus();
  const gib = Math.round(totalmem() / 2 ** 30);
  return {
    command: `npm run bench${asked.length > 0 ? ` -- ${asked.join(' ')}` : ''}`,
    date: [...new Set(rows.flatMap(({ date }) => date ?? []))].toSorted().join(', ') || 'undated',
    machine: [
      `${processors.length} cores (${processors[0]?.model.trim() ?? 'unknown'}), ${gib} GiB, ${platform()} ${release()}`,
      ...notes,
    ],
  };
}

try {
  const options = parseOptions(args);
  if (options.bundle) {
    console.log(`Written: ${await writeBundle(options.bundle)}`);
  } else {
    const measured =
      options.from.length > 0
        ? {
            rows: options.from.flatMap((file) => rowsOf(readFileSync(file, 'utf8'))),
            failed: [],
            by: '',
          }
        : await measure(options);
    console.log(`\n${textReport(measured.rows)}`);
    if (options.suite.quick) console.log('\nThe shapes of --quick are tiny: its ratios say nothing.');
    if (options.json) {
      writeJson(options.json, measured.rows);
      writeJson(options.json.replace(/(\.json)?$/, '.targets.json'), verdicts(measured.rows));
    }
    if (options.markdown) {
      const before = existsSync(options.markdown) ? readFileSync(options.markdown, 'utf8') : '';
      const notes = [measured.by, options.about ?? '', ...measured.failed].filter(Boolean);
      writeFileSync(
        options.markdown,
        markdownReport(measured.rows, circumstances(measured.rows, notes), keptOf(before)),
      );
    }
    process.exitCode = measured.failed.length > 0 ? 1 : 0;
  }
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  console.error(`${error.message}\n\n${HELP}`);
  process.exitCode = 2;
}
