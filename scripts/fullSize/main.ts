/**
 * `npm run full-size`: checks at the size of the official 128-frame model, with a synthetic checkpoint of its shapes
 * (see HELP). Not a part of `npm test`: it wants 6 GB of disk and minutes.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { QUANTIZATIONS, type Quantization } from '../../src/loader/convert';
import { generateClip } from './clip';
import { compareForward } from './forward';
import { convertInChromium } from './inChromium';
import { convertInNode } from './inNode';
import { type ConversionRow, shortcomings, tableOf } from './table';

const ROOT = join(import.meta.dirname, '../..');
const CHECKPOINT = join(tmpdir(), 'mebt-full-size', 'official.ckpt');

const HELP = `npm run full-size -- convert | forward | generate

Works on a synthetic checkpoint of the official 128-frame model's size, 4.3 GB with the optimizer's state.

convert    converts it by the command line and in the built page (npm run build first), reads the models back, and
           prints what it took: seconds on the clock and of the processor, most bytes resident by process, bytes of
           the model. Both runtimes must come to the same bytes
forward    a forward pass over 1,024 tokens of its int8 conversion on wasm, and the same in PyTorch
generate   a whole clip from its int8 conversion on wasm, with the time and the memory of each part

  --checkpoint FILE      default ${CHECKPOINT};
                         made where there is none
  --runtime A,B          of convert: node, chromium (default: both)
  --quantize A,B         of convert: of ${QUANTIZATIONS.join(', ')} (default int8,int4)
  --model FOLDER         of forward and generate: an int8 conversion of it that is there already
  --python PROGRAM       of forward: a Python with torch (weights/recipe/README.md), default python3
  --frames N             of generate: a multiple of 4 up to 128 (default)
  --steps N              of generate (default 3)

Exit codes: 0 all within the limits, 1 not (said in words), 2 called wrongly or could not be run.`;

const OPTIONS = {
  checkpoint: { type: 'string', default: CHECKPOINT },
  runtime: { type: 'string', default: 'node,chromium' },
  quantize: { type: 'string', default: 'int8,int4' },
  model: { type: 'string' },
  python: { type: 'string', default: 'python3' },
  frames: { type: 'string', default: '128' },
  steps: { type: 'string', default: '3' },
  help: { type: 'boolean' },
} as const;
const RUNTIMES = ['node', 'chromium'] as const;
const COMMANDS = ['convert', 'forward', 'generate'] as const;

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({ options: OPTIONS, allowPositionals: true });
  const command = COMMANDS.find((name) => name === positionals.join());
  if (values.help || !command) {
    console.log(HELP);
    return values.help ? 0 : 2;
  }
  const checkpoint = resolve(values.checkpoint);
  provide(checkpoint);
  if (command === 'convert') {
    const runtimes = listOf('--runtime', RUNTIMES, values.runtime);
    return convert(checkpoint, runtimes, listOf('--quantize', QUANTIZATIONS, values.quantize));
  }
  const model = values.model ? resolve(values.model) : `${checkpoint}.int8`;
  if (!values.model) await convertInNode(checkpoint, 'int8', model);
  if (command === 'forward') return compareForward(checkpoint, model, values.python);
  await generateClip(model, { frames: Number(values.frames), steps: Number(values.steps) });
  return 0;
}

async function convert(
  checkpoint: string,
  runtimes: readonly (typeof RUNTIMES)[number][],
  quantizations: readonly Quantization[],
): Promise<number> {
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
    const out = `${checkpoint}.${quantization}.measured`;
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
