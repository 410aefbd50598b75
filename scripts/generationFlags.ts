/** The generation's settings on a command line: which flags there are, and the options that given ones mean. */
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
import { readScene, sceneText } from '../src/config/scene';
import { oneOf, UsageError } from './commandLine';

export const SETTINGS_HELP = `Settings; what is not given is the model's own default:
  --frames N  --steps N  --bootstrap N  --temperature X  --choice-temperature X  --top-k N  --top-p X
  --top-p-from X  --guidance X  --guidance-from X  --schedule NAME  --order NAME  --targets N
  --scene TRAIT-VALUE.TRAIT-VALUE…
  --revise-passes N  --revise-steps N  --revise-temperature X`;

const NUMBERS = {
  seed: 'seed',
  frames: 'frames',
  steps: 'steps',
  bootstrap: 'bootstrap',
  temperature: 'temperature',
  'choice-temperature': 'choiceTemperature',
  'top-k': 'topK',
  'top-p': 'topP',
  'top-p-from': 'topPFrom',
  guidance: 'guidance',
  'guidance-from': 'guidanceFrom',
  targets: 'targets',
  'revise-passes': 'revisePasses',
  'revise-steps': 'reviseSteps',
  'revise-temperature': 'reviseTemperature',
} as const satisfies Readonly<Record<string, NumericField>>;
const NUMBER_FLAGS = Object.keys(NUMBERS) as (keyof typeof NUMBERS)[];

type Flag = keyof typeof NUMBERS | 'schedule' | 'order' | 'scene';

/** For node's parseArgs. */
export const SETTINGS_FLAGS = Object.fromEntries(
  [...NUMBER_FLAGS, 'schedule', 'order', 'scene'].map((flag) => [flag, { type: 'string' }]),
) as Record<Flag, { type: 'string' }>;

/** What was given, to be laid over the model's defaults. @throws UsageError */
export function readSettings(values: Partial<Record<Flag, string>>): Partial<GenerationOptions> {
  const settings: { -readonly [K in keyof GenerationOptions]?: GenerationOptions[K] } = {};
  for (const flag of NUMBER_FLAGS) {
    const given = values[flag];
    if (given !== undefined) settings[NUMBERS[flag]] = numberFor(`--${flag}`, given, NUMBERS[flag]);
  }
  if (values.schedule !== undefined) settings.schedule = oneOf('--schedule', SCHEDULES, values.schedule);
  if (values.order !== undefined) settings.order = oneOf('--order', ORDERS, values.order);
  if (values.scene !== undefined) settings.scene = values.scene;
  return settings;
}

/**
 * The model's defaults with the given settings over them. Which lengths a model makes, the engine says.
 * @throws UsageError where the model cannot be told of such a scene
 */
export function optionsFor(config: ModelConfig, settings: Partial<GenerationOptions>): GenerationOptions {
  const facts = modelFacts(config);
  const options = { ...defaultGenerationOptions(facts), frames: facts.ownFrames, ...settings };
  const { chosen, problems } = readScene(facts.traits ?? [], options.scene);
  if (problems[0]) throw new UsageError(problems[0]);
  return { ...options, scene: sceneText(facts.traits ?? [], chosen) };
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
