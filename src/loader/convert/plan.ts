/**
 * From one or two opened checkpoints to a plan: the configuration, where each of its values comes from, what is
 * stored as what, what is left out, and what is missing. Reads names, shapes and settings, no weights.
 */
import { downsampleOf, type ModelConfig } from '../../config/model';
import { recipeFor, type SamplingRecipe, samplingOf } from '../../config/officialSampling';
import { addTokenizer, addTransformer, type Recipe, Recipes } from '../checkpoint/names';
import { partsOf, tokenizerConfig, transformerConfig } from '../checkpoint/officialModel';
import { type CheckpointFile, checkNames, type OpenedCheckpoint, openCheckpoint } from '../checkpoint/open';
import type { Settings } from '../checkpoint/settings';
import { CheckpointError, inFile } from '../checkpoint/source';
import { sizeOf } from '../manifest';
import { FieldError, parseModelConfig } from '../model-config';
import { type Answers, type Fact, mergeSettings, type Need, needsOf, type Part, type Roles } from './needs';
import type { StoredAs } from './quantize';
import { checkSameCodebook } from './sameCodebook';
import { type Skipped, skippedOf } from './skipped';
import { bytesStored, type Int4Group, type Quantization, storageOf } from './storage';

export interface ConversionOptions {
  readonly quantization: Quantization;
  /** Rows that share a scale, for int4; 64 when left out. */
  readonly group?: Int4Group;
  /** What the model is called; the transformer's file name when left out. */
  readonly name?: string;
  readonly license?: string;
  /** Takes the tokenizer's encoder along, which prediction and inpainting need; true when left out. */
  readonly encoder?: boolean;
  /** What the files do not say. */
  readonly answers?: Answers;
}

export interface PlannedTensor {
  readonly recipe: Recipe;
  /** Whose checkpoint it is read from. */
  readonly file: string;
  readonly storage: StoredAs;
  /** In its shard, scales included. */
  readonly bytes: number;
}

export interface ConversionPlan {
  readonly name: string;
  readonly license: string;
  readonly model: ModelConfig;
  /** Where `model.sampling` comes from; `general` for the defaults of every model. */
  readonly sampling: SamplingRecipe | 'general';
  readonly tensors: readonly PlannedTensor[];
  readonly skipped: readonly Skipped[];
  /** Names in the state_dict that the model needs and that are not there: it cannot be converted. */
  readonly missing: readonly string[];
  /** Where the configuration's values come from. */
  readonly facts: readonly Fact[];
  /** Number of weights. */
  readonly parameters: number;
  /** Of all shards, the preview's map (a few hundred bytes) not counted. */
  readonly bytes: number;
}

export type Inspection =
  | { readonly kind: 'ready'; readonly plan: ConversionPlan }
  /** Give these as `answers`, or files that hold them. */
  | { readonly kind: 'needs'; readonly needs: readonly Need[] };

const DEFAULT_LICENSE = 'Not stated by the checkpoint; ask its authors.';

/**
 * @param files a transformer's checkpoint, a VQGAN's, or both, in any order
 * @throws CheckpointError when a file cannot be read, or its parts do not fit together
 */
export async function planConversion(
  files: readonly CheckpointFile[],
  options: ConversionOptions,
): Promise<Inspection> {
  checkNames(files);
  const opened: OpenedCheckpoint[] = [];
  for (const file of files) opened.push(await openCheckpoint(file));
  const roles = await assignRoles(opened);
  const found = mergeSettings(roles, options.answers ?? {});
  const needs = needsOf(roles, found.settings);
  if (needs.length > 0 || !roles.transformer || !roles.tokenizer) return { kind: 'needs', needs };
  const plan = await makePlan(
    { ...roles, transformer: roles.transformer, tokenizer: roles.tokenizer },
    found,
    options,
  );
  return { kind: 'ready', plan };
}

async function assignRoles(opened: readonly OpenedCheckpoint[]): Promise<Roles> {
  let transformer: Part | undefined;
  let embedded: Part | undefined;
  let separate: Part | undefined;
  for (const file of opened) {
    await inFile(file.file, () => {
      const parts = partsOf(file.state);
      const second = (what: string) =>
        new CheckpointError(`it is a second ${what}; one transformer and one VQGAN at most are expected`);
      if (parts.transformer) {
        if (transformer) throw second('transformer');
        transformer = { opened: file, state: parts.transformer };
        if (parts.tokenizer) embedded = { opened: file, state: parts.tokenizer };
      } else if (parts.tokenizer) {
        if (separate) throw second('VQGAN');
        separate = { opened: file, state: parts.tokenizer };
      }
    });
  }
  if (embedded && separate) await checkSameCodebook(embedded, separate);
  const tokenizer = embedded ?? separate;
  return { opened, ...(transformer ? { transformer } : {}), ...(tokenizer ? { tokenizer } : {}) };
}

type FullRoles = Required<Roles>;

async function makePlan(
  roles: FullRoles,
  { settings, facts }: { readonly settings: Settings; readonly facts: readonly Fact[] },
  options: ConversionOptions,
): Promise<ConversionPlan> {
  const { transformer, tokenizer } = roles;
  const name = options.name ?? nameOf(transformer.opened.file);
  const planned: PlannedTensor[] = [];
  const take = (part: Part, recipes: Recipes): void => {
    for (const recipe of recipes.list) {
      const storage = storageOf(recipe.name, recipe.shape, options.quantization, options.group);
      const bytes = bytesStored(recipe.shape, storage);
      planned.push({ recipe, file: part.opened.file, storage, bytes });
    }
  };
  const transformerPart = await inFile(transformer.opened.file, () => {
    const config = transformerConfig(transformer.state, settings);
    const recipes = new Recipes();
    addTransformer(recipes, transformer.state, config);
    take(transformer, recipes);
    return config;
  });
  const tokenizerPart = await inFile(tokenizer.opened.file, () => {
    const { encoder, ...decoderOnly } = tokenizerConfig(tokenizer.state, settings);
    const config = encoder && options.encoder !== false ? { ...decoderOnly, encoder } : decoderOnly;
    const recipes = new Recipes();
    addTokenizer(recipes, tokenizer.state, config);
    take(tokenizer, recipes);
    return config;
  });
  const grid = settings.grid ?? [1, 1, 1];
  const frames = grid[0] * downsampleOf(tokenizerPart)[0];
  const recipe = options.answers?.sampling ?? recipeFor(settings.dataPath, frames) ?? 'general';
  const model = checkedModel(transformer.opened.file, {
    transformer: transformerPart,
    tokenizer: tokenizerPart,
    grid,
    frameRate: options.answers?.frameRate ?? DEFAULT_FRAME_RATE,
    sampling: recipe === 'general' ? {} : samplingOf(recipe),
  });
  const asked = roles.opened.map(({ state }) => [...state.asked.missing]);
  return {
    name,
    license: options.license ?? DEFAULT_LICENSE,
    model,
    sampling: recipe,
    tensors: planned,
    skipped: skippedOf(roles.opened, usedSources(planned)),
    missing: asked.flat(),
    facts: [
      ...facts,
      {
        what: 'sampling',
        value: recipe === 'general' ? 'general defaults' : recipe,
        from: samplingFrom(options, recipe),
      },
    ],
    parameters: planned.reduce((sum, tensor) => sum + sizeOf(tensor.recipe.shape), 0),
    bytes: planned.reduce((sum, { bytes }) => sum + bytes, 0),
  };
}

/** Full names in each file's state_dict. */
function usedSources(planned: readonly PlannedTensor[]): Map<string, Set<string>> {
  const used = new Map<string, Set<string>>();
  for (const { file, recipe } of planned) {
    const names = used.get(file) ?? new Set();
    for (const source of recipe.sources) names.add(source);
    used.set(file, names);
  }
  return used;
}

/** Checkpoints do not say it; the official data sets are read at their videos' own rates. */
const DEFAULT_FRAME_RATE = 16;

function samplingFrom(options: ConversionOptions, recipe: ConversionPlan['sampling']): string {
  if (options.answers?.sampling) return 'asked for';
  return recipe !== 'general'
    ? 'data.data_path and the length'
    : 'nothing names one of the official data sets';
}

/** The limits that the loader will hold it to. */
function checkedModel(file: string, model: ModelConfig): ModelConfig {
  try {
    return parseModelConfig(model, 'its configuration');
  } catch (error) {
    if (error instanceof FieldError) throw new CheckpointError(error.message, file);
    throw error;
  }
}

/** `a/b/epoch=1-step=2.ckpt` → `epoch-1-step-2`. */
function nameOf(file: string): string {
  const base =
    file
      .split(/[\\/]/)
      .at(-1)
      ?.replace(/\.\w+$/, '') ?? '';
  return base.replace(/[^A-Za-z0-9_.-]+/g, '-').replace(/^[-.]+/, '') || 'model';
}
