/**
 * An official checkpoint as one of our models: sizes from the shapes of its weights, the rest from its settings, and
 * the recipes that bring its weights under our names and into our layout, one at a time.
 */
import {
  downsampleOf,
  type Extent3,
  type StageConfig,
  type TokenizerConfig,
  type TransformerConfig,
} from '../../config/model';
import type { PlainTensor } from './layout';
import { addTokenizer, addTransformer, type Recipe, Recipes, residualNames } from './names';
import { type Settings, settingsOf } from './settings';
import { CheckpointError } from './source';
import { StateDict } from './stateDict';
import { StoredTensor } from './tensor';

export interface OfficialModel {
  /** Absent in a checkpoint of a VQGAN alone. */
  readonly transformer?: TransformerConfig;
  /** Absent in a checkpoint of a transformer alone. */
  readonly tokenizer?: TokenizerConfig;
  /** T'×H'×W' that the transformer was trained on. */
  readonly grid?: Extent3;
  /** Names of all tensors (ARCHITECTURE.md). */
  readonly names: readonly string[];
  readonly recipes: readonly Recipe[];
  /** One tensor, float32, in our layout. Throws CheckpointError when it is missing or damaged. */
  load(name: string): Promise<PlainTensor>;
}

/** The parts of an official state_dict. */
export interface OfficialParts {
  readonly transformer?: StateDict;
  readonly tokenizer?: StateDict;
}

/** @throws CheckpointError when there is neither */
export function partsOf(state: StateDict): OfficialParts {
  const isTransformer = state.has('tok_emb.weight') || state.has('transformer.head.weight');
  const vqgan = isTransformer ? state.under('first_stage_model.') : state;
  const hasTokenizer = vqgan.has('codebook.embeddings') || vqgan.has('post_vq_conv.conv.weight');
  if (!isTransformer && !hasTokenizer) {
    throw new CheckpointError(
      'its state_dict belongs neither to a Net2NetTransformer (tok_emb.weight) nor to a VQGAN (codebook.embeddings)',
    );
  }
  return {
    ...(isTransformer ? { transformer: state } : {}),
    ...(hasTokenizer ? { tokenizer: vqgan } : {}),
  };
}

/** `checkpoint` is what `openTorchFile` returned. Throws CheckpointError when anything is missing. */
export function readOfficialModel(checkpoint: unknown): OfficialModel {
  const state = StateDict.of(stateDictOf(checkpoint));
  const settings = settingsOf(checkpoint);
  const parts = partsOf(state);
  const transformer = parts.transformer && transformerConfig(parts.transformer, settings);
  const tokenizer = parts.tokenizer && tokenizerConfig(parts.tokenizer, settings);
  const recipes = new Recipes();
  if (parts.transformer && transformer) addTransformer(recipes, parts.transformer, transformer);
  if (parts.tokenizer && tokenizer) addTokenizer(recipes, parts.tokenizer, tokenizer);
  const [missing] = state.asked.missing;
  if (missing) throw new CheckpointError(`its state_dict has no ${missing}`);
  const byName = new Map(recipes.list.map((recipe) => [recipe.name, recipe]));
  return {
    ...(transformer ? { transformer } : {}),
    ...(tokenizer ? { tokenizer } : {}),
    ...(settings.grid ? { grid: settings.grid } : {}),
    names: [...byName.keys()],
    recipes: recipes.list,
    async load(name) {
      const recipe = byName.get(name);
      if (!recipe) throw new CheckpointError(`it has no tensor ${name}`);
      return recipe.load();
    },
  };
}

/** A field of a saved dict. */
export function field(checkpoint: unknown, name: string): unknown {
  return checkpoint instanceof Map ? checkpoint.get(name) : undefined;
}

/** The tensors of `state_dict`, or of the saved dict itself when that is one. */
export function stateDictOf(checkpoint: unknown): Map<string, StoredTensor> {
  const saved = field(checkpoint, 'state_dict') ?? checkpoint;
  if (!(saved instanceof Map)) throw new CheckpointError('it holds no state_dict');
  const tensors = new Map<string, StoredTensor>();
  for (const [name, tensor] of saved)
    if (typeof name === 'string' && tensor instanceof StoredTensor) tensors.set(name, tensor);
  return tensors;
}

/** Sizes come from the weights themselves; modes and heads, which they cannot tell, from the settings. */
export function transformerConfig(state: StateDict, { modes, heads }: Settings): TransformerConfig {
  const [vocabulary = 0, width = 0] = state.shapeOf('transformer.head.weight', 2);
  const blocks = state.count('transformer.blocks');
  if (!modes || !heads) {
    throw new CheckpointError(`its settings do not say ${modes ? 'n_head' : 'the mode of its blocks'}`);
  }
  if (modes.length !== blocks) {
    throw new CheckpointError(`its settings give ${modes.length} blocks a mode, but it has ${blocks} blocks`);
  }
  if (width % heads !== 0) {
    throw new CheckpointError(`its width of ${width} does not divide into ${heads} heads`);
  }
  return {
    width,
    heads,
    latentTokens: state.shapeOf('sos_emb', 3)[1] ?? 0,
    vocabulary,
    positions: state.shapeOf('pos_emb', 3)[1] ?? 0,
    modes,
  };
}

export function tokenizerConfig(state: StateDict, { downsample }: Settings): TokenizerConfig {
  const [codes = 0, codeWidth = 0] = state.shapeOf('codebook.embeddings', 2);
  if (!downsample) throw new CheckpointError('its settings do not say how many pixels a token stands for');
  const stages = (part: 'decoder' | 'encoder', convolution: string, outputAxis: number): StageConfig[] =>
    Array.from({ length: state.count(`${part}.conv_blocks`) }, (_, i) => {
      const stage = state.under(`${part}.conv_blocks.${i}.`);
      return {
        channels: stage.shapeOf(`${convolution}.weight`, 5)[outputAxis] ?? 0,
        stride: strideOf(downsample, i),
        residualBlocks: residualNames(stage).length,
      };
    });
  const decoder = stages('decoder', 'up.convt', 1); // [in, out, …]
  const encoder = stages('encoder', 'down.conv', 0); // [out, in, …]
  const config: TokenizerConfig = {
    codes,
    codeWidth,
    norm: state.has('decoder.final_block.0.running_mean') ? 'affine' : 'group',
    decoder,
    ...(encoder.length > 0 ? { encoder } : {}),
  };
  const halvings = Math.log2(Math.max(...downsample));
  if (halvings !== decoder.length || downsampleOf(config).some((factor, i) => factor !== downsample[i])) {
    throw new CheckpointError(
      `its settings make ${downsample.join('×')} pixels of a token, which takes ${halvings} stages, but it has ${decoder.length}`,
    );
  }
  return config;
}

/** Stage i has stride 2 along the axes that are halved more than i times. */
function strideOf(downsample: Extent3, i: number): Extent3 {
  const along = (factor: number): number => (Math.log2(factor) > i ? 2 : 1);
  return [along(downsample[0]), along(downsample[1]), along(downsample[2])];
}
