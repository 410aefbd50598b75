/**
 * The sampling recipes that the paper's authors published with their models, by data set and length; the schedule is
 * cosine and the temperature 1 throughout. Which one a checkpoint wants, the path of its training data tells.
 */
type Sampling = Readonly<Record<string, number | string>>;

const DATASETS = ['sky', 'taichi', 'ucf'] as const;
type Dataset = (typeof DATASETS)[number];

/** steps, choice temperature, top-k, bootstrap steps, revise passes × steps, revise temperature. */
const RECIPES: Readonly<
  Record<`${Dataset}-${16 | 128}`, readonly [number, number, number, number, number, number, number]>
> = {
  'sky-16': [32, 8, 0, 0, 2, 2, 0.7],
  'taichi-16': [64, 2, 0, 0, 8, 2, 0.3],
  'ucf-16': [128, 6, 0, 0, 4, 4, 0.7],
  'sky-128': [32, 4, 32, 64, 2, 2, 0.7],
  'taichi-128': [32, 4, 32, 64, 4, 2, 0.1],
  'ucf-128': [32, 2, 32, 64, 2, 32, 0.1],
};

export type SamplingRecipe = keyof typeof RECIPES;
export const SAMPLING_RECIPES = Object.keys(RECIPES) as SamplingRecipe[];

export function samplingOf(recipe: SamplingRecipe): Sampling {
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
    temperature: 1,
  };
}

/** The recipe for a clip of `frames`, or undefined where the path names none of the data sets. */
export function recipeFor(dataPath: string | undefined, frames: number): SamplingRecipe | undefined {
  const dataset = DATASETS.find((name) => dataPath?.toLowerCase().includes(name));
  return dataset && `${dataset}-${frames > 16 ? 128 : 16}`;
}
