/** The command line of `npm run generate`: its help, and its options as the generation takes them. */
import { resolve } from 'node:path';
import {
  defaultGenerationOptions,
  GENERATION_LIMITS,
  type GenerationOptions,
  modelFacts,
  type NumericField,
  ORDERS,
  SCHEDULES,
} from '../src/config/generation';
import type { ModelConfig } from '../src/config/model';
import { TEST_BACKENDS, type TestBackend } from '../src/kernels/testing/backends';
import { oneOf, readCommandLine, UsageError } from './commandLine';

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

Settings; what is not given is the model's own default:
  --frames N  --steps N  --bootstrap N  --temperature X  --choice-temperature X  --top-k N  --top-p X
  --schedule NAME  --order NAME  --revise-passes N  --revise-steps N  --revise-temperature X
Unlike in the page, --steps may be any number from 1 up. Clips longer than the model's own are continued; clips.json
names the first frames of the continuations ("seams").

Exit codes: 0 all clips are there, 1 failed or interrupted (finished clips stay), 2 called wrongly.`;

const FLAGS = {
  frames: 'frames',
  steps: 'steps',
  bootstrap: 'bootstrap',
  temperature: 'temperature',
  'choice-temperature': 'choiceTemperature',
  'top-k': 'topK',
  'top-p': 'topP',
  'revise-passes': 'revisePasses',
  'revise-steps': 'reviseSteps',
  'revise-temperature': 'reviseTemperature',
} as const satisfies Readonly<Record<string, NumericField>>;
const FLAG_NAMES = Object.keys(FLAGS) as (keyof typeof FLAGS)[];

export interface CommandLine {
  readonly model: string;
  readonly out: string;
  readonly count: number;
  readonly backend: TestBackend;
  /** What was given, to be laid over the model's defaults. */
  readonly settings: Partial<GenerationOptions>;
}

/** @throws UsageError */
export function parseCommandLine(args: string[]): CommandLine | 'help' {
  const values = readValues(args);
  if (values.help !== undefined) return 'help';
  const { model, out } = values;
  if (!model) throw new UsageError('--model names the folder of a model, such as weights/sky-64');
  if (!out) throw new UsageError('--out names the folder to write to');
  const settings: { -readonly [K in keyof GenerationOptions]?: GenerationOptions[K] } = {};
  for (const flag of FLAG_NAMES) {
    const text = values[flag];
    if (text !== undefined) settings[FLAGS[flag]] = numberFor(`--${flag}`, text, FLAGS[flag]);
  }
  if (values.schedule !== undefined) settings.schedule = oneOf('--schedule', SCHEDULES, values.schedule);
  if (values.order !== undefined) settings.order = oneOf('--order', ORDERS, values.order);
  settings.seed = values.seed === undefined ? 0 : numberFor('--seed', values.seed, 'seed');
  const count = Number(values.count ?? '16');
  if (!Number.isInteger(count) || count < 1) {
    throw new UsageError(`--count must be a whole number from 1 up, got ${values.count}`);
  }
  const backend = oneOf('--backend', TEST_BACKENDS, values.backend ?? 'wasm');
  return { model: resolve(model), out: resolve(out), count, backend, settings };
}

/** The model's defaults with the given settings over them. Which lengths a model makes, the engine says. */
export function optionsFor(config: ModelConfig, settings: Partial<GenerationOptions>): GenerationOptions {
  const facts = modelFacts(config);
  return { ...defaultGenerationOptions(facts), frames: facts.ownFrames, ...settings };
}

const text = { type: 'string' } as const;

function readValues(args: string[]): Partial<Record<string, string>> {
  const own = { model: text, out: text, count: text, seed: text, backend: text, schedule: text, order: text };
  const settings = Object.fromEntries(FLAG_NAMES.map((flag) => [flag, text]));
  const options = { ...own, ...settings, help: { type: 'boolean' } as const };
  const { values } = readCommandLine({ args, options, strict: true, allowPositionals: false });
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, String(value)]));
}

/** Whole numbers have the page's smallest values but for steps, of which one is enough, and no largest ones. */
function numberFor(option: string, given: string, field: NumericField): number {
  const { min, max, whole } = GENERATION_LIMITS[field];
  const lowest = field === 'steps' ? 1 : min;
  const highest = whole && field !== 'seed' ? Number.MAX_SAFE_INTEGER : max;
  const value = given.trim() === '' ? Number.NaN : Number(given);
  const fits = whole ? Number.isInteger(value) : Number.isFinite(value);
  if (fits && value >= lowest && value <= highest) return value;
  const kind = whole ? 'a whole number' : 'a number';
  const range = highest === Number.MAX_SAFE_INTEGER ? `from ${lowest} up` : `from ${lowest} to ${highest}`;
  throw new UsageError(`${option} must be ${kind} ${range}, got ${given}`);
}
