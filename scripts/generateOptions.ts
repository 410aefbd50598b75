/** The command line of `npm run generate`: its help, and what was asked for. */
import { resolve } from 'node:path';
import type { GenerationOptions } from '../src/config/generation';
import { TEST_BACKENDS, type TestBackend } from '../src/kernels/testing/backends';
import { oneOf, readCommandLine, UsageError } from './commandLine';
import { readSettings, SETTINGS_FLAGS, SETTINGS_HELP } from './generationFlags';

export const HELP = `npm run generate -- --model weights/sky-64 --count 64 --steps 24 --seed 1 --out runs/steps-24

Generates clips with the page's own engine, in Node: FOLDER/clips.npy (uint8 [N, T, H, W, 3]) and FOLDER/clips.json (model,
settings, how many clips are finished). Clip i has seed SEED + i. Called again with the same settings it goes on
where it stopped; --count may have grown.

  --model FOLDER         manifest.json and shards
  --count N              clips in all (default 16)
  --seed N               of the first clip (default 0)
  --out FOLDER           where to write
  --backend NAME         ${TEST_BACKENDS.join(', ')} (default wasm; webgpu runs through Dawn on the driver of VK_DRIVER_FILES)
  --help                 print this

${SETTINGS_HELP}
Unlike in the page, --steps may be any number from 1 up. Clips longer than the model's own are continued; clips.json
names the first frames of the continuations ("seams").

Exit codes: 0 all clips are there, 1 failed or interrupted (finished clips stay), 2 called wrongly.`;

export interface CommandLine {
  readonly model: string;
  readonly out: string;
  readonly count: number;
  readonly backend: TestBackend;
  /** What was given, to be laid over the model's defaults. */
  readonly settings: Partial<GenerationOptions>;
}

const text = { type: 'string' } as const;

/** @throws UsageError */
export function parseCommandLine(args: string[]): CommandLine | 'help' {
  const { values } = readCommandLine({
    args,
    options: {
      ...SETTINGS_FLAGS,
      model: text,
      out: text,
      count: text,
      backend: text,
      help: { type: 'boolean' },
    },
  });
  if (values.help) return 'help';
  const { model, out } = values;
  if (!model) throw new UsageError('--model names the folder of a model, such as weights/sky-64');
  if (!out) throw new UsageError('--out names the folder to write to');
  const settings = { seed: 0, ...readSettings(values) };
  const count = Number(values.count ?? '16');
  if (!Number.isInteger(count) || count < 1) {
    throw new UsageError(`--count must be a whole number from 1 up, got ${values.count}`);
  }
  const backend = oneOf('--backend', TEST_BACKENDS, values.backend ?? 'wasm');
  return { model: resolve(model), out: resolve(out), count, backend, settings };
}
