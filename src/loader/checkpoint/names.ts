/**
 * From the names in an official state_dict (`Net2NetTransformer`, `VQGAN`) to ours (ARCHITECTURE.md): for each of
 * our tensors, the recipe that makes it. Names and shapes only; which model it is, officialModel.ts finds out.
 */
import type { StageConfig, TokenizerConfig, TransformerConfig } from '../../config/model';
import {
  convWeight,
  foldBatchNorm,
  linearWeight,
  type PlainTensor,
  plain,
  reshape,
  upConvWeight,
} from './layout';
import { CheckpointError } from './source';
import type { StateDict } from './stateDict';
import type { StoredTensor } from './tensor';

/** How one of our tensors is made. */
export interface Recipe {
  readonly name: string;
  /** Of the result. */
  readonly shape: readonly number[];
  /** Full names in the state_dict. */
  readonly sources: readonly string[];
  /** float32, in our layout. @throws CheckpointError when the file is damaged there */
  load(): Promise<PlainTensor>;
}

/**
 * Collects recipes. A tensor that is missing is noted by the state_dict and left out here; one of another shape than
 * the rest of the model asks for is an error (-1 accepts any extent).
 */
export class Recipes {
  readonly list: Recipe[] = [];

  add(
    name: string,
    state: StateDict,
    official: string,
    expected: readonly number[],
    layout: (tensor: PlainTensor) => PlainTensor = (tensor) => tensor,
  ): void {
    const tensor = state.find(official);
    if (!tensor) return;
    checkShape(state.prefix + official, tensor, expected);
    // The layout of the shape alone: moving an empty array moves the extents.
    const { shape } = layout({ shape: tensor.shape, values: new Float32Array(0) });
    const load = async () => layout(await plain(tensor));
    this.list.push({ name, shape, sources: [state.prefix + official], load });
  }

  linear(name: string, state: StateDict, official: string, inputs: number, outputs: number): void {
    this.add(`${name}.weight`, state, `${official}.weight`, [outputs, inputs], linearWeight);
    this.add(`${name}.bias`, state, `${official}.bias`, [outputs]);
  }

  conv(name: string, state: StateDict, official: string, inputs: number, outputs: number): void {
    this.add(`${name}.weight`, state, `${official}.weight`, [outputs, inputs, -1, -1, -1], convWeight);
    this.add(`${name}.bias`, state, `${official}.bias`, [outputs]);
  }

  upConv(name: string, state: StateDict, official: string, inputs: number, outputs: number): void {
    this.add(`${name}.weight`, state, `${official}.weight`, [inputs, outputs, -1, -1, -1], upConvWeight);
    this.add(`${name}.bias`, state, `${official}.bias`, [outputs]);
  }

  layerNorm(name: string, state: StateDict, official: string, channels: number): void {
    this.add(`${name}.scale`, state, `${official}.weight`, [channels]);
    this.add(`${name}.bias`, state, `${official}.bias`, [channels]);
  }

  /** A group norm as it is, a batch norm (told by its running statistics) folded. */
  norm(name: string, state: StateDict, official: string, channels: number): void {
    if (!state.has(`${official}.running_mean`)) {
      this.layerNorm(name, state, official, channels);
      return;
    }
    const parts = ['weight', 'bias', 'running_mean', 'running_var'].map((part) => `${official}.${part}`);
    const tensors = parts.map((part) => state.find(part)).filter((tensor) => tensor !== undefined);
    if (tensors.length < parts.length) return;
    for (const [i, tensor] of tensors.entries()) checkShape(`${state.prefix}${parts[i]}`, tensor, [channels]);
    const folded = async () => {
      const [weight, bias, mean, variance] = await Promise.all(tensors.map(plain));
      if (!weight || !bias || !mean || !variance) throw new CheckpointError(`its ${official} is incomplete`);
      return foldBatchNorm({ weight, bias, mean, variance });
    };
    const sources = parts.map((part) => state.prefix + part);
    const shape = [channels];
    this.list.push({ name: `${name}.scale`, shape, sources, load: async () => (await folded()).scale });
    this.list.push({ name: `${name}.bias`, shape, sources, load: async () => (await folded()).bias });
  }
}

function checkShape(name: string, { shape }: StoredTensor, expected: readonly number[]): void {
  const fits =
    shape.length === expected.length && shape.every((n, i) => expected[i] === -1 || expected[i] === n);
  if (fits && shape.every((n) => Number.isSafeInteger(n) && n > 0)) return;
  const wanted = expected.map((n) => (n === -1 ? 'any' : n)).join(', ');
  throw new CheckpointError(
    `its tensor ${name} has the shape [${shape.join(', ')}], but the rest of the model expects [${wanted}]`,
  );
}

/** Adds all `transformer.*` tensors. */
export function addTransformer(recipes: Recipes, state: StateDict, config: TransformerConfig): void {
  const { width, vocabulary, positions, latentTokens, modes } = config;
  // Tables lead with axes of length 1, which go.
  const rows = (tensor: PlainTensor): PlainTensor => reshape(tensor, tensor.shape.slice(-2));
  recipes.add('transformer.tokenEmbedding', state, 'tok_emb.weight', [vocabulary, width]);
  recipes.add('transformer.positionEmbedding', state, 'pos_emb', [1, positions, width], rows);
  recipes.add('transformer.maskEmbedding', state, 'mask_emb', [1, 1, width], (tensor) =>
    reshape(tensor, [width]),
  );
  recipes.add('transformer.latentTokens', state, 'sos_emb', [1, latentTokens, width], rows);
  for (const i of modes.keys()) {
    const ours = `transformer.blocks.${i}`;
    const block = state.under(`${ours}.`);
    for (const [name, official] of ATTENTION)
      recipes.linear(`${ours}.${name}`, block, official, width, width);
    recipes.linear(`${ours}.expand`, block, 'mlp.0', width, 4 * width);
    recipes.linear(`${ours}.contract`, block, 'mlp.2', 4 * width, width);
    recipes.layerNorm(`${ours}.norm1`, block, 'ln1', width);
    recipes.layerNorm(`${ours}.norm2`, block, 'ln2', width);
  }
  recipes.layerNorm('transformer.finalNorm', state, 'transformer.ln_f', width);
  recipes.add('transformer.head.weight', state, 'transformer.head.weight', [vocabulary, width], linearWeight);
}

const ATTENTION = [
  ['query', 'attn.query'],
  ['key', 'attn.key'],
  ['value', 'attn.value'],
  ['projection', 'attn.proj'],
] as const;

/** Adds all `tokenizer.*` tensors. `state` is the VQGAN's part of the state_dict. */
export function addTokenizer(recipes: Recipes, state: StateDict, config: TokenizerConfig): void {
  const { codes, codeWidth, decoder, encoder = [] } = config;
  recipes.add('tokenizer.codebook', state, 'codebook.embeddings', [codes, codeWidth]);
  const [first = 0] = state.find('post_vq_conv.conv.weight')?.shape ?? [];
  recipes.conv('tokenizer.postQuantization', state, 'post_vq_conv.conv', codeWidth, first);
  recipes.norm('tokenizer.decoder.inputNorm', state, 'decoder.final_block.0', first);
  let channels = first;
  for (const [i, stage] of decoder.entries()) {
    const ours = `tokenizer.decoder.stages.${i}`;
    const part = state.under(`decoder.conv_blocks.${i}.`);
    recipes.upConv(`${ours}.up`, part, 'up.convt', channels, stage.channels);
    addResiduals(recipes, ours, part, stage);
    channels = stage.channels;
  }
  recipes.conv('tokenizer.decoder.output', state, 'decoder.conv_last.conv', channels, 3);
  if (encoder.length > 0) addEncoder(recipes, state, encoder, codeWidth);
}

function addEncoder(
  recipes: Recipes,
  state: StateDict,
  encoder: readonly StageConfig[],
  codeWidth: number,
): void {
  let [channels = 0] = state.find('encoder.conv_first.conv.weight')?.shape ?? [];
  recipes.conv('tokenizer.encoder.input', state, 'encoder.conv_first.conv', 3, channels);
  for (const [i, stage] of encoder.entries()) {
    const ours = `tokenizer.encoder.stages.${i}`;
    const part = state.under(`encoder.conv_blocks.${i}.`);
    recipes.conv(`${ours}.down`, part, 'down.conv', channels, stage.channels);
    addResiduals(recipes, ours, part, stage);
    channels = stage.channels;
  }
  recipes.norm('tokenizer.encoder.outputNorm', state, 'encoder.final_block.0', channels);
  recipes.conv('tokenizer.preQuantization', state, 'pre_vq_conv.conv', channels, codeWidth);
}

/** The residual blocks of a stage: `res` alone, or `res1`, `res2`, … */
export function residualNames(stage: StateDict): string[] {
  if (stage.has('res.conv1.conv.weight')) return ['res'];
  const names: string[] = [];
  while (stage.has(`res${names.length + 1}.conv1.conv.weight`)) names.push(`res${names.length + 1}`);
  return names;
}

function addResiduals(recipes: Recipes, ours: string, state: StateDict, { channels }: StageConfig): void {
  for (const [j, official] of residualNames(state).entries()) {
    for (const part of ['1', '2']) {
      const name = `${ours}.blocks.${j}`;
      recipes.norm(`${name}.norm${part}`, state, `${official}.norm${part}`, channels);
      recipes.conv(`${name}.conv${part}`, state, `${official}.conv${part}.conv`, channels, channels);
    }
  }
}
