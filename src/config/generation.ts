/**
 * What a visitor asks for: one type, its limits and defaults. Parsing from the URL and from fields
 * goes through `parseGenerationOptions`, so that every bad value ends in the same kind of sentence.
 */
import { lengthsOf, type ModelConfig } from './model';
import { presetsFor } from './officialSampling';
import { readScene, sceneText, shorten, type Trait } from './scene';

/**
 * Mask schedules: progress t in [0, 1] to the fraction that stays masked. Those of the official code, and `quartic`, whose
 * first step keeps a token or two even where there are few steps: what a clip is about is then drawn once.
 */
export const SCHEDULES = [
  'cosine',
  'linear',
  'quadratic',
  'sqrt',
  'square',
  'cube',
  'quartic',
  'cosine_plus',
  'convex',
] as const;
export type Schedule = (typeof SCHEDULES)[number];

/** Which drawn tokens stay: the most confident ones, or those whose turn it is in an order that spreads them. */
export const ORDERS = ['confidence', 'spread'] as const;
export type Order = (typeof ORDERS)[number];

export interface GenerationOptions {
  /** Unsigned 32-bit; the only source of randomness. */
  readonly seed: number;
  /** Frames of the clip, a whole number of latent frames. */
  readonly frames: number;
  /** Parallel decoding steps of the draft, as the schedule counts them; steps that change nothing are skipped. */
  readonly steps: number;
  /** Single-token steps before the draft, in random order. */
  readonly bootstrap: number;
  readonly temperature: number;
  readonly choiceTemperature: number;
  /** 0 keeps every code. */
  readonly topK: number;
  /** 1 keeps every code. */
  readonly topP: number;
  /**
   * Top-p holds from the pass on before which this share of the clip's tokens is known: the first tokens decide what a clip
   * is, and drawn from the likeliest codes alone all clips would be of the commonest kind. 0: in all passes.
   */
  readonly topPFrom: number;
  /**
   * Logits become l + guidance (l − l₀), l₀ being those where no token of the clip is known: by how much what known tokens
   * say is stressed (model/guidance.ts). 0: not at all.
   */
  readonly guidance: number;
  /** It holds from the pass on before which this share of the clip's tokens is known. */
  readonly guidanceFrom: number;
  readonly schedule: Schedule;
  /** With `spread` the choice temperature has no part. */
  readonly order: Order;
  /**
   * With the order `spread` a pass reads no more masked tokens than this where it draws fewer, each in the place of several;
   * 0 for all. For models that were trained so.
   */
  readonly targets: number;
  /** What the clip is to be of, where the model can be told, as text (scene.ts); what is left open is drawn. */
  readonly scene: string;
  /** M: sweeps over the finished grid, each re-predicting every token given the others. */
  readonly revisePasses: number;
  /** Steps of one sweep: the grid is split into this many blocks. */
  readonly reviseSteps: number;
  readonly reviseTemperature: number;
}

/** The options that are one of a list of names. */
export type ChoiceField = 'schedule' | 'order';
const CHOICES: { readonly [F in ChoiceField]: readonly GenerationOptions[F][] } = {
  schedule: SCHEDULES,
  order: ORDERS,
};
const CHOICE_FIELDS = Object.keys(CHOICES) as ChoiceField[];

/** The options that are numbers. */
export type NumericField = Exclude<keyof GenerationOptions, ChoiceField | 'scene'>;

/** What an option may be. Both ends belong to the range. */
export interface Limit {
  /** The name a visitor sees. */
  readonly label: string;
  readonly min: number;
  readonly max: number;
  /** Distance of neighbouring slider positions. */
  readonly step: number;
  /** Only multiples of `step`, counted from zero, are allowed; the others are rounded. */
  readonly whole: boolean;
}

/**
 * Ranges that hold for every model. `frames`, `topK`, `steps` and `targets` are narrowed by `limitsFor`. The top-p range
 * leaves out 0, which would drop every code; a choice temperature of 32 is a random order in practice.
 */
export const GENERATION_LIMITS: Readonly<Record<NumericField, Limit>> = {
  seed: { label: 'Seed', min: 0, max: 0xffffffff, step: 1, whole: true },
  frames: { label: 'Length', min: 1, max: 1024, step: 1, whole: true },
  steps: { label: 'Steps', min: 4, max: 128, step: 1, whole: true },
  bootstrap: { label: 'Bootstrap', min: 0, max: 256, step: 1, whole: true },
  temperature: { label: 'Temperature', min: 0, max: 2, step: 0.05, whole: false },
  choiceTemperature: { label: 'Choice temperature', min: 0, max: 32, step: 0.5, whole: false },
  topK: { label: 'Top-k', min: 0, max: 65536, step: 1, whole: true },
  topP: { label: 'Top-p', min: 0.01, max: 1, step: 0.01, whole: false },
  topPFrom: { label: 'Top-p from', min: 0, max: 1, step: 0.01, whole: false },
  guidance: { label: 'Guidance', min: 0, max: 4, step: 0.1, whole: false },
  guidanceFrom: { label: 'Guidance from', min: 0, max: 1, step: 0.01, whole: false },
  targets: { label: 'Targets', min: 0, max: 65536, step: 1, whole: true },
  revisePasses: { label: 'Revise passes', min: 0, max: 16, step: 1, whole: true },
  reviseSteps: { label: 'Revise steps', min: 1, max: 32, step: 1, whole: true },
  reviseTemperature: { label: 'Revise temperature', min: 0, max: 2, step: 0.05, whole: false },
};

const GENERAL_DEFAULTS: Omit<GenerationOptions, 'frames'> = {
  seed: 0,
  steps: 24,
  bootstrap: 0,
  temperature: 1,
  choiceTemperature: 4,
  topK: 0,
  topP: 1,
  topPFrom: 0,
  guidance: 0,
  guidanceFrom: 0,
  schedule: 'cosine',
  order: 'confidence',
  targets: 0,
  scene: '',
  revisePasses: 0,
  reviseSteps: 2,
  reviseTemperature: 0.7,
};

/** The shortest clip offered, where the model can make one that long. */
const SHORTEST_CLIP = 16;

/** More gain nothing, but for models whose published recipes have more. */
const USUAL_STEPS = 64;

const FIELDS = Object.keys(GENERATION_LIMITS) as NumericField[];

/** What the options must know about a model. */
export interface ModelFacts {
  /** Frames of the longest clip. */
  readonly maxFrames: number;
  /** Frames that the model makes in one piece; longer clips are continued. */
  readonly ownFrames: number;
  /** Frames of one latent frame. */
  readonly framesPerLatent: number;
  /** Number of codes that can be predicted. */
  readonly vocabulary: number;
  /** Its tokens read one another, all of them: a part of the masked ones would not do. */
  readonly dense?: boolean;
  /** What it can be told of a clip. */
  readonly traits?: readonly Trait[];
  /** Published recipes go up to so many steps. */
  readonly mostSteps?: number;
  /** The model's own defaults (`ModelConfig.sampling`); unknown or unusable entries are passed over. */
  readonly sampling: Readonly<Record<string, number | string>>;
  /** Frames that this device makes in comfort; the default length where the model names none. */
  readonly comfortableFrames?: number;
}

/** The facts of a loaded model. */
export function modelFacts(config: ModelConfig, comfortableFrames?: number): ModelFacts {
  const { framesPerLatent, ownFrames, mostFrames } = lengthsOf(config);
  const presets = presetsFor(config);
  return {
    maxFrames: mostFrames,
    ownFrames,
    framesPerLatent,
    vocabulary: config.transformer.vocabulary,
    sampling: config.sampling,
    ...(config.transformer.modes.includes('maskgit') ? { dense: true } : {}),
    ...(config.transformer.traits ? { traits: config.transformer.traits } : {}),
    ...(presets.length > 0 ? { mostSteps: GENERATION_LIMITS.steps.max } : {}),
    ...(comfortableFrames === undefined ? {} : { comfortableFrames }),
  };
}

/** `GENERATION_LIMITS` with the ranges that this model narrows. */
export function limitsFor(facts: ModelFacts): Readonly<Record<NumericField, Limit>> {
  const { framesPerLatent: step, maxFrames: max, vocabulary } = facts;
  const shortest = Math.min(max, Math.ceil(SHORTEST_CLIP / step) * step);
  return {
    ...GENERATION_LIMITS,
    frames: { ...GENERATION_LIMITS.frames, min: shortest, max, step },
    topK: { ...GENERATION_LIMITS.topK, max: vocabulary },
    steps: { ...GENERATION_LIMITS.steps, max: facts.mostSteps ?? USUAL_STEPS },
    targets: { ...GENERATION_LIMITS.targets, ...(facts.dense ? { max: 0 } : {}) },
  };
}

/**
 * Lengths worth a place on a slider, in frames, ascending: every one that the model makes in one piece, and beyond it
 * whole windows (half of the model's own length each). `chosen` has a place, too, whatever it is.
 */
export function lengthChoices(facts: ModelFacts, chosen: number): number[] {
  const { min, max, step } = limitsFor(facts).frames;
  const window = Math.max(step, Math.ceil(facts.ownFrames / step / 2) * step);
  const choices = new Set([chosen]);
  for (let frames = min; frames <= Math.min(facts.ownFrames, max); frames += step) choices.add(frames);
  for (let frames = facts.ownFrames + window; frames <= max; frames += window) choices.add(frames);
  return [...choices.add(max)].sort((a, b) => a - b);
}

/** The defaults: general ones, then the model's own, then what the device does in comfort. */
export function defaultGenerationOptions(facts: ModelFacts): GenerationOptions {
  const limits = limitsFor(facts);
  const { step } = limits.frames;
  const comfort = Math.floor((facts.comfortableFrames ?? facts.ownFrames) / step) * step;
  const general = { ...GENERAL_DEFAULTS, frames: clamp(comfort, limits.frames) };
  return parseGenerationOptions(facts.sampling, facts, general).options;
}

/** One thing that was wrong with what a visitor gave. */
export interface OptionProblem {
  readonly field: keyof GenerationOptions;
  /** A sentence: what was given, what is allowed, what is used instead. */
  readonly message: string;
}

export interface ParsedOptions {
  /** Always usable: bad values are replaced. */
  readonly options: GenerationOptions;
  readonly problems: readonly OptionProblem[];
}

/**
 * Reads options from URL parameters (`Object.fromEntries(new URLSearchParams(…))`) or form fields.
 * Absent fields and keys that are no option keep `defaults`; a number outside its range becomes the nearest
 * allowed one, anything else that cannot be read becomes the default. Never throws.
 */
export function parseGenerationOptions(
  given: Readonly<Record<string, string | number | undefined>>,
  facts: ModelFacts,
  defaults: GenerationOptions = defaultGenerationOptions(facts),
): ParsedOptions {
  const { traits = [] } = facts;
  const limits = limitsFor(facts);
  const options: { -readonly [K in keyof GenerationOptions]: GenerationOptions[K] } = { ...defaults };
  const problems: OptionProblem[] = [];
  for (const field of FIELDS) {
    const value = given[field];
    if (value === undefined) continue;
    const { used, problem } = readNumber(value, limits[field], defaults[field]);
    options[field] = used;
    if (problem) problems.push({ field, message: problem });
  }
  const choose = <F extends ChoiceField>(field: F): void => {
    const value = given[field];
    if (value === undefined) return;
    const names = CHOICES[field];
    const known = names.find((name) => name === value);
    if (known) options[field] = known;
    else {
      const kind = field[0]?.toUpperCase() + field.slice(1);
      const message = `${kind} “${value}” is not known (there are ${names.join(', ')}); ${defaults[field]} is used instead.`;
      problems.push({ field, message });
    }
  };
  for (const field of CHOICE_FIELDS) choose(field);
  if (given.scene !== undefined) {
    const read = readScene(traits, String(given.scene));
    options.scene = sceneText(traits, read.chosen);
    for (const problem of read.problems)
      problems.push({ field: 'scene', message: `${problem}; it is left open.` });
  }
  return { options, problems };
}

/** URL parameters that recall `options`: the seed, and whatever differs from the defaults. */
export function toSearchParams(
  options: GenerationOptions,
  facts: ModelFacts,
  defaults: GenerationOptions = defaultGenerationOptions(facts),
): URLSearchParams {
  const params = new URLSearchParams({ seed: String(options.seed) });
  for (const field of FIELDS) {
    if (field !== 'seed' && options[field] !== defaults[field]) params.set(field, String(options[field]));
  }
  for (const field of CHOICE_FIELDS) {
    if (options[field] !== defaults[field]) params.set(field, options[field]);
  }
  if (options.scene !== defaults.scene) params.set('scene', options.scene);
  return params;
}

function readNumber(
  given: string | number,
  limit: Limit,
  fallback: number,
): { used: number; problem?: string } {
  const text = String(given).trim();
  const value = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text) ? Number(text) : Number.NaN;
  const complain = (what: string, used: number) => ({
    used,
    problem: `${limit.label} “${shorten(text)}” ${what}; ${used} is used instead.`,
  });
  const range = `${rangeKind(limit)} from ${limit.min} to ${limit.max}`;
  if (Number.isNaN(value)) return complain(`is not ${range}`, fallback);
  if (value < limit.min || value > limit.max)
    return complain(`is outside its range, ${range}`, clamp(value, limit));
  const multiple = Math.round(value / limit.step) * limit.step;
  if (limit.whole && multiple !== value) return complain(`is not ${range}`, clamp(multiple, limit));
  return { used: value };
}

function rangeKind({ whole, step }: Limit): string {
  if (!whole) return 'a number';
  return step === 1 ? 'a whole number' : `a multiple of ${step}`;
}

function clamp(value: number, { min, max }: Limit): number {
  return Math.min(max, Math.max(min, value));
}
