/**
 * The sampling recipes that the paper's authors published with their models, by data set and length; the schedule is
 * cosine and the temperature 1 throughout. Which one a checkpoint wants, the path of its training data tells; which
 * ones suit a model, its sizes.
 */
import type { GenerationOptions } from './generation';
import type { ModelConfig } from './model';

const DATASETS = ['sky', 'taichi', 'ucf'] as const;
type Dataset = (typeof DATASETS)[number];
const DATASET_NAMES: Readonly<Record<Dataset, string>> = {
  sky: 'SkyTimelapse',
  taichi: 'Taichi-HD',
  ucf: 'UCF-101',
};

const LENGTHS = [16, 128] as const;
type Length = (typeof LENGTHS)[number];
export type SamplingRecipe = `${Dataset}-${Length}`;

/** steps, choice temperature, top-k, bootstrap steps, revise passes × steps, revise temperature. */
const RECIPES: Readonly<
  Record<SamplingRecipe, readonly [number, number, number, number, number, number, number]>
> = {
  'sky-16': [32, 8, 0, 0, 2, 2, 0.7],
  'taichi-16': [64, 2, 0, 0, 8, 2, 0.3],
  'ucf-16': [128, 6, 0, 0, 4, 4, 0.7],
  'sky-128': [32, 4, 32, 64, 2, 2, 0.7],
  'taichi-128': [32, 4, 32, 64, 4, 2, 0.1],
  'ucf-128': [32, 2, 32, 64, 2, 32, 0.1],
};
export const SAMPLING_RECIPES = Object.keys(RECIPES) as SamplingRecipe[];

/** What a recipe sets: everything but seed, length, top-p, where guidance begins, and what the clip is of. */
export type Sampling = Omit<
  GenerationOptions,
  'seed' | 'frames' | 'topP' | 'topPFrom' | 'guidanceFrom' | 'scene'
>;

export function samplingOf(recipe: SamplingRecipe): Sampling & Readonly<Record<string, number | string>> {
  const [steps, choiceTemperature, topK, bootstrap, revisePasses, reviseSteps, reviseTemperature] =
    RECIPES[recipe];
  return {
    steps,
    choiceTemperature,
    topK,
    bootstrap,
    revisePasses,
    reviseSteps,
    reviseTemperature,
    schedule: 'cosine',
    order: 'confidence',
    targets: 0,
    temperature: 1,
    guidance: 0,
  };
}

/** The recipe for a clip of `frames`, or undefined where the path names none of the data sets. */
export function recipeFor(dataPath: string | undefined, frames: number): SamplingRecipe | undefined {
  const dataset = DATASETS.find((name) => dataPath?.toLowerCase().includes(name));
  return dataset && `${dataset}-${frames > 16 ? 128 : 16}`;
}

/** A recipe as a visitor chooses it. */
export interface Preset {
  readonly recipe: SamplingRecipe;
  /** Such as `SkyTimelapse, 128 frames`. */
  readonly label: string;
}

/** The recipes for models whose longest clip has so many frames. */
export function recipesFor(frames: number): Preset[] {
  const length: Length = frames > 16 ? 128 : 16;
  return DATASETS.map((dataset) => ({
    recipe: `${dataset}-${length}`,
    label: `${DATASET_NAMES[dataset]}, ${length} frames`,
  }));
}

/** The official transformer; the two lengths differ in their positions alone (configurations of the paper's code). */
const OFFICIAL = { width: 1024, heads: 16, latentTokens: 256, vocabulary: 16_384, blocks: 24 } as const;
const ROWS = 16;

/** The published recipes where a model has the official sizes, else none: what suits another model is not known. */
export function presetsFor({ transformer, grid }: Pick<ModelConfig, 'transformer' | 'grid'>): Preset[] {
  const { width, heads, latentTokens, vocabulary, modes } = transformer;
  const official =
    width === OFFICIAL.width &&
    heads === OFFICIAL.heads &&
    latentTokens === OFFICIAL.latentTokens &&
    vocabulary === OFFICIAL.vocabulary &&
    modes.length === OFFICIAL.blocks &&
    grid[1] === ROWS &&
    grid[2] === ROWS;
  const length = LENGTHS.find((frames) => frames / 4 === grid[0]);
  return official && length ? recipesFor(length) : [];
}

/** The preset that these options are, or undefined. */
export function presetOf(options: Sampling, presets: readonly Preset[]): Preset | undefined {
  return presets.find(({ recipe }) =>
    Object.entries(samplingOf(recipe)).every(([name, value]) => options[name as keyof Sampling] === value),
  );
}
