/**
 * `npm run convert`: official checkpoints to a folder that the page loads (see HELP). Exit codes: 0 converted,
 * 1 failed (nothing is left behind), 2 called wrongly or something must be said by options.
 */
import { existsSync } from 'node:fs';
import { basename } from 'node:path';
import { SingleBar } from 'cli-progress';
import { CheckpointError } from '../src/loader/checkpoint';
import {
  type ConversionPlan,
  type ConversionResult,
  convert,
  type ModelSink,
  type Need,
  planConversion,
  reportText,
} from '../src/loader/convert';
import { UsageError } from './commandLine';
import { type CommandLine, HELP, parseCommandLine } from './convertOptions';
import { type FileSource, openFileSource } from './fileSource';
import { FolderSink } from './folderSink';

const REPORT_FILE = 'conversion-report.txt';

async function main(): Promise<number> {
  const commandLine = parseCommandLine(process.argv.slice(2));
  if (commandLine === 'help') {
    console.log(HELP);
    return 0;
  }
  const { out, force, dryRun } = commandLine;
  if (!dryRun && existsSync(out) && !force) {
    throw new UsageError(`${out} is there already; --force replaces it`);
  }
  const sources: FileSource[] = [];
  try {
    const files = [];
    for (const path of commandLine.files) {
      const source = await openFileSource(path);
      sources.push(source);
      files.push({ name: basename(path), source });
    }
    const inspection = await planConversion(files, commandLine.options);
    if (inspection.kind === 'needs') {
      console.error(needsText(inspection.needs));
      return 2;
    }
    return await run(inspection.plan, commandLine);
  } finally {
    await Promise.all(sources.map((source) => source.close()));
  }
}

async function run(plan: ConversionPlan, { out, dryRun }: CommandLine): Promise<number> {
  if (plan.missing.length > 0) {
    console.error(reportText(plan));
    console.error(`Not converted: ${plan.missing.length} tensors are missing.`);
    return 1;
  }
  const interrupt = new AbortController();
  const stop = () => interrupt.abort(new Error('Interrupted; nothing was left behind.'));
  process.once('SIGINT', stop).once('SIGTERM', stop);
  if (dryRun) {
    console.log(reportText(plan, await withBar(plan, NOWHERE, interrupt.signal)));
    console.log(costText());
    return 0;
  }
  const sink = await FolderSink.create(out);
  try {
    const result = await withBar(plan, sink, interrupt.signal);
    const report = reportText(plan, result);
    await sink.text(REPORT_FILE, report);
    await sink.finish();
    console.log(report.split('\n\n', 1)[0]);
    console.log(worstText(result));
    console.log(costText());
    console.log(
      `Written to ${out}; every tensor is listed in ${REPORT_FILE}. Open the page with ?model=${basename(out)}`,
    );
    return 0;
  } catch (error) {
    await sink.discard();
    throw error;
  }
}

const NOWHERE: ModelSink = { shard: async () => undefined, manifest: async () => undefined };

async function withBar(
  plan: ConversionPlan,
  sink: ModelSink,
  signal: AbortSignal,
): Promise<ConversionResult> {
  const bar = new SingleBar({
    format: '{bar} {percentage}% | {done} of {all} MB | {speed} MB/s | {eta_formatted} | {tensor}',
    noTTYOutput: false,
    clearOnComplete: true,
    hideCursor: true,
    stopOnComplete: false,
    barsize: 24,
  });
  const began = performance.now();
  const all = (plan.bytes / 1e6).toFixed(0);
  bar.start(plan.bytes, 0, { done: 0, all, speed: '–', tensor: '' });
  try {
    const steps = convert(plan, sink, { signal });
    for (let step = await steps.next(); ; step = await steps.next()) {
      if (step.done) return step.value;
      const { doneBytes, tensor } = step.value;
      const speed = (doneBytes / 1000 / (performance.now() - began)).toFixed(1);
      bar.update(doneBytes, { done: (doneBytes / 1e6).toFixed(0), all, speed, tensor });
    }
  } finally {
    bar.stop();
  }
}

function worstText({ used }: ConversionResult): string {
  const worst = [...used].sort((a, b) => b.error - a.error).slice(0, 5);
  const rows = worst.map(({ name, dtype, error }) => `  ${error.toExponential(2)}  ${dtype}  ${name}`);
  return ['Quantization, relative L2, worst first:', ...rows].join('\n');
}

/** Of this process, from its start. */
function costText(): string {
  const { userCPUTime, systemCPUTime, maxRSS } = process.resourceUsage();
  const processor = (userCPUTime + systemCPUTime) / 1e6;
  return `${process.uptime().toFixed(1)} s, ${processor.toFixed(1)} s of processor time, ${(maxRSS / 1e3).toFixed(0)} MB resident at most`;
}

const OPTIONS: Readonly<Record<Need['what'], string>> = {
  transformer: '--transformer FILE',
  tokenizer: '--vqgan FILE',
  downsample: '--downsample T,H,W',
  grid: '--grid T,H,W',
  heads: '--heads N',
  modes: '--modes MODE,MODE,…',
};

function needsText(needs: readonly Need[]): string {
  const lines = needs.map(({ what, why, suggestion }) => {
    const value = suggestion === undefined ? '' : ` The official models have ${suggestion}.`;
    return `  ${OPTIONS[what]}\n      ${why}${value}`;
  });
  return ['The files do not say everything. Call again with:', ...lines].join('\n');
}

try {
  process.exitCode = await main();
} catch (error) {
  if (error instanceof UsageError) {
    console.error(`convert: ${error.message}. --help shows how it is called.`);
    process.exitCode = 2;
  } else {
    const known = error instanceof CheckpointError || error instanceof Error;
    console.error(`convert: ${known ? error.message : String(error)}`);
    process.exitCode = 1;
  }
}
