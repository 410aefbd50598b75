/**
 * `npm run full-size -- convert`: checks at the size of the official 128-frame model, with a synthetic checkpoint of its
 * shapes (see HELP). Not a part of `npm test`: it wants 6 GB of disk and minutes.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { QUANTIZATIONS, type Quantization } from '../../src/loader/convert';
import { convertInChromium } from './inChromium';
import { convertInNode } from './inNode';
import { type ConversionRow, shortcomings, tableOf } from './table';

const ROOT = join(import.meta.dirname, '../..');
const CHECKPOINT = join(tmpdir(), 'mebt-full-size', 'official.ckpt');

const HELP = `npm run full-size -- convert

Converts a checkpoint of the official 128-frame model's size by the command line and in the built page (npm run build
first), reads the models back, and prints what it took: seconds on the clock and of the processor, most bytes
resident by process, bytes of the model. Both runtimes must come to the same bytes.

  --checkpoint FILE      default ${CHECKPOINT}; made (4.3 GB, with the
                         optimizer's state) where there is none
  --runtime A,B          node, chromium (default: both)
  --quantize A,B         of ${QUANTIZATIONS.join(', ')} (default int8,int4)

Exit codes: 0 all within the limits, 1 not (said in words), 2 called wrongly.`;

const OPTIONS = {
  checkpoint: { type: 'string', default: CHECKPOINT },
  runtime: { type: 'string', default: 'node,chromium' },
  quantize: { type: 'string', default: 'int8,int4' },
  help: { type: 'boolean' },
} as const;
const RUNTIMES = ['node', 'chromium'] as const;

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({ options: OPTIONS, allowPositionals: true });
  if (values.help || positionals.join() !== 'convert') {
    console.log(HELP);
    return values.help ? 0 : 2;
  }
  const quantizations = listOf('--quantize', QUANTIZATIONS, values.quantize);
  const runtimes = listOf('--runtime', RUNTIMES, values.runtime);
  const checkpoint = resolve(values.checkpoint);
  provide(checkpoint);
  const rows: ConversionRow[] = [];
  if (runtimes.includes('node')) rows.push(...(await inNode(checkpoint, quantizations)));
  if (runtimes.includes('chromium')) rows.push(...(await convertInChromium(checkpoint, quantizations)));
  console.log(tableOf(rows));
  const found = shortcomings(rows);
  for (const sentence of found) console.log(`Falls short: ${sentence}.`);
  return found.length > 0 ? 1 : 0;
}

function listOf<T extends string>(option: string, known: readonly T[], text: string): T[] {
  return text.split(',').map((name) => {
    const found = known.find((candidate) => candidate === name);
    if (!found) throw new Error(`${option} is made of ${known.join(', ')}, got ${name}.`);
    return found;
  });
}

/** Makes the checkpoint where there is none. */
function provide(checkpoint: string): void {
  if (existsSync(checkpoint)) return;
  mkdirSync(dirname(checkpoint), { recursive: true });
  const script = join(ROOT, 'scripts/make-official-checkpoint.ts');
  const partial = `${checkpoint}.partial`;
  const args = ['--import', 'tsx', script, partial, '--optimizer'];
  const made = spawnSync(process.execPath, args, { cwd: ROOT, stdio: 'inherit' });
  if (made.status !== 0) throw new Error(`${checkpoint} could not be made; see the message above.`);
  renameSync(partial, checkpoint);
}

async function inNode(checkpoint: string, quantizations: readonly Quantization[]): Promise<ConversionRow[]> {
  const rows: ConversionRow[] = [];
  for (const quantization of quantizations) {
    const out = `${checkpoint}.${quantization}`;
    rows.push(await convertInNode(checkpoint, quantization, out));
    rmSync(out, { recursive: true, force: true });
  }
  return rows;
}

try {
  process.exitCode = await main();
} catch (error) {
  console.error(`full-size: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 2;
}
