/**
 * An official checkpoint as one of our models: its configuration from hyper-parameters and shapes, its weights
 * under our names and in our layout, read one at a time.
 */
import {
  BLOCK_MODES,
  type BlockMode,
  type Extent3,
  type StageConfig,
  type TokenizerConfig,
  type TransformerConfig,
} from '../../config/model';
import { at, type Plain, rootOf, toPlain } from './hyperparameters';
import type { PlainTensor } from './layout';
import { type Recipes, residualNames, StateDict, tokenizerRecipes, transformerRecipes } from './names';
import { CheckpointError } from './source';
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
  /** One tensor, float32, in our layout. Throws CheckpointError when it is missing or damaged. */
  load(name: string): Promise<PlainTensor>;
}

/** `checkpoint` is what `openTorchFile` returned. Throws CheckpointError. */
export function readOfficialModel(checkpoint: unknown): OfficialModel {
  const state = new StateDict(stateDictOf(checkpoint));
  const hyperparameters = field(checkpoint, 'hyper_parameters');
  const recipes: Recipes = new Map();
  const addAll = (more: Recipes): void => {
    for (const [name, recipe] of more) recipes.set(name, recipe);
  };
  const isTransformer = state.has('tok_emb.weight');
  const vqgan = isTransformer ? state.under('first_stage_model.') : state;
  const hasTokenizer = vqgan.has('codebook.embeddings');
  if (!isTransformer && !hasTokenizer) {
    throw new CheckpointError('its state_dict belongs neither to a Net2NetTransformer nor to a VQGAN');
  }
  if (isTransformer) addAll(transformerRecipes(state));
  if (hasTokenizer) addAll(tokenizerRecipes(vqgan));
  return {
    ...(isTransformer
      ? { transformer: transformerConfig(state, hyperparameters), grid: gridOf(hyperparameters) }
      : {}),
    ...(hasTokenizer ? { tokenizer: tokenizerConfig(vqgan, hyperparameters) } : {}),
    names: [...recipes.keys()],
    async load(name) {
      const recipe = recipes.get(name);
      if (!recipe) throw new CheckpointError(`it has no tensor ${name}`);
      return recipe();
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
  for (const [name, tensor] of saved) if (tensor instanceof StoredTensor) tensors.set(String(name), tensor);
  return tensors;
}

/** Sizes come from the weights themselves; only what they cannot tell is read from the settings. */
function transformerConfig(state: StateDict, hyperparameters: unknown): TransformerConfig {
  const settings = toPlain(field(hyperparameters, 'transformer_config'));
  const [vocabulary = 0, width = 0] = state.get('transformer.head.weight').shape;
  const modes = at(settings, 'mode');
  if (!Array.isArray(modes) || !modes.every(isBlockMode)) {
    throw new CheckpointError(
      `its transformer_config.mode is ${JSON.stringify(modes)}, not a list of ${BLOCK_MODES.join(', ')}`,
    );
  }
  return {
    width,
    heads: positive(at(settings, 'n_head'), 'transformer_config.n_head'),
    latentTokens: state.get('sos_emb').shape.at(-2) ?? 0,
    vocabulary,
    positions: state.get('pos_emb').shape.at(-2) ?? 0,
    modes,
  };
}

function isBlockMode(mode: unknown): mode is BlockMode {
  return BLOCK_MODES.some((known) => known === mode);
}

function gridOf(hyperparameters: unknown): Extent3 {
  const shape = at(toPlain(field(hyperparameters, 'mask_config')), 'params', 'shape');
  return extent3(shape, 'mask_config.params.shape');
}

function tokenizerConfig(state: StateDict, hyperparameters: unknown): TokenizerConfig {
  const [codes = 0, codeWidth = 0] = state.get('codebook.embeddings').shape;
  const padding = at(toPlain(field(hyperparameters, 'args')), 'padding_type') ?? 'replicate';
  if (padding !== 'replicate')
    throw new CheckpointError(`its padding_type is ${padding}; only replicate is supported`);
  const downsample = downsampleFactors(hyperparameters);
  const stages = (part: 'decoder' | 'encoder', convolution: string, outputAxis: number): StageConfig[] =>
    Array.from({ length: state.count(`${part}.conv_blocks`) }, (_, i) => {
      const stage = state.under(`${part}.conv_blocks.${i}.`);
      return {
        channels: stage.get(`${convolution}.weight`).shape[outputAxis] ?? 0,
        stride: strideOf(downsample, i),
        residualBlocks: residualNames(stage).length,
      };
    });
  const decoder = stages('decoder', 'up.convt', 1); // [in, out, …]
  const halvings = Math.log2(Math.max(...downsample));
  if (halvings !== decoder.length) {
    throw new CheckpointError(
      `its settings make ${downsample.join('×')} pixels of a token, which takes ${halvings} stages, but it has ${decoder.length}`,
    );
  }
  return {
    codes,
    codeWidth,
    norm: state.has('decoder.final_block.0.running_mean') ? 'affine' : 'group',
    decoder,
    encoder: stages('encoder', 'down.conv', 0), // [out, in, …]
  };
}

/** Stage i has stride 2 along the axes that are halved more than i times. */
function strideOf(downsample: Extent3, i: number): Extent3 {
  const along = (factor: number): number => (Math.log2(factor) > i ? 2 : 1);
  return [along(downsample[0]), along(downsample[1]), along(downsample[2])];
}

/**
 * Pixels of one token. A VQGAN's settings say it; a transformer's do not, but the configuration they were cut out
 * of has the clip's length and resolution, and the mask's shape the token grid.
 */
function downsampleFactors(hyperparameters: unknown): Extent3 {
  const given = at(toPlain(field(hyperparameters, 'args')), 'downsample');
  if (given !== undefined) return extent3(given, 'args.downsample');
  const [t, h, w] = gridOf(hyperparameters);
  const data = at(toPlain(rootOf(field(hyperparameters, 'mask_config'))), 'data');
  const frames = positive(at(data, 'sequence_length'), 'data.sequence_length');
  const resolution = positive(at(data, 'resolution'), 'data.resolution');
  return [frames / t, resolution / h, resolution / w];
}

function extent3(value: Plain, name: string): Extent3 {
  const [t, h, w] = Array.isArray(value) ? value : [];
  return [positive(t, name), positive(h, name), positive(w, name)];
}

function positive(value: Plain, name: string): number {
  if (typeof value === 'number' && value > 0) return value;
  throw new CheckpointError(`its setting ${name} is ${JSON.stringify(value)}, not a positive number`);
}
