/**
 * From the names in an official state_dict (`Net2NetTransformer`, `VQGAN`) to ours (ARCHITECTURE.md): for each of
 * our tensors, the recipe that makes it. Names and shapes only; which model it is, officialModel.ts finds out.
 */
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
import type { StoredTensor } from './tensor';

/** Makes one of our tensors. */
export type Recipe = () => Promise<PlainTensor>;
export type Recipes = Map<string, Recipe>;

/** A state_dict, or the part of it under a prefix. */
export class StateDict {
  constructor(
    readonly tensors: ReadonlyMap<string, StoredTensor>,
    readonly prefix = '',
  ) {}

  under(prefix: string): StateDict {
    return new StateDict(this.tensors, this.prefix + prefix);
  }

  has(name: string): boolean {
    return this.tensors.has(this.prefix + name);
  }

  get(name: string): StoredTensor {
    const tensor = this.tensors.get(this.prefix + name);
    if (!tensor) throw new CheckpointError(`its state_dict has no ${this.prefix}${name}`);
    return tensor;
  }

  /** How many of `<name>.0`, `<name>.1`, … there are. */
  count(name: string): number {
    const start = `${this.prefix}${name}.`;
    const numbers = Array.from(this.tensors.keys())
      .filter((key) => key.startsWith(start))
      .map((key) => Number(key.slice(start.length).split('.', 1)[0]));
    return numbers.length === 0 ? 0 : Math.max(...numbers) + 1;
  }
}

/** Recipes of all `transformer.*` tensors. */
export function transformerRecipes(state: StateDict): Recipes {
  const recipes: Recipes = new Map();
  const table = (ours: string, official: string): void => {
    const tensor = state.get(official);
    // Embeddings lead with an axis of 1, the mask embedding with two.
    const shape = ours === 'maskEmbedding' ? tensor.shape.slice(-1) : tensor.shape.slice(-2);
    recipes.set(`transformer.${ours}`, async () => reshape(await plain(tensor), shape));
  };
  table('tokenEmbedding', 'tok_emb.weight');
  table('positionEmbedding', 'pos_emb');
  table('maskEmbedding', 'mask_emb');
  table('latentTokens', 'sos_emb');
  const blocks = state.count('transformer.blocks');
  for (let i = 0; i < blocks; i++) {
    const ours = `transformer.blocks.${i}`;
    const block = state.under(`${ours}.`);
    for (const [name, official] of BLOCK_LINEARS) addLinear(recipes, `${ours}.${name}`, block, official);
    addLayerNorm(recipes, `${ours}.norm1`, block, 'ln1');
    addLayerNorm(recipes, `${ours}.norm2`, block, 'ln2');
  }
  addLayerNorm(recipes, 'transformer.finalNorm', state, 'transformer.ln_f');
  const head = state.get('transformer.head.weight');
  recipes.set('transformer.head.weight', async () => linearWeight(await plain(head)));
  return recipes;
}

const BLOCK_LINEARS = [
  ['query', 'attn.query'],
  ['key', 'attn.key'],
  ['value', 'attn.value'],
  ['projection', 'attn.proj'],
  ['expand', 'mlp.0'],
  ['contract', 'mlp.2'],
] as const;

/** Recipes of all `tokenizer.*` tensors. `state` is the VQGAN's part of the state_dict. */
export function tokenizerRecipes(state: StateDict): Recipes {
  const recipes: Recipes = new Map();
  const codebook = state.get('codebook.embeddings');
  recipes.set('tokenizer.codebook', () => plain(codebook));
  addConv(recipes, 'tokenizer.postQuantization', state, 'post_vq_conv.conv');
  addConv(recipes, 'tokenizer.preQuantization', state, 'pre_vq_conv.conv');
  for (let i = 0; i < state.count('decoder.conv_blocks'); i++) {
    const stage = state.under(`decoder.conv_blocks.${i}.`);
    const ours = `tokenizer.decoder.stages.${i}`;
    addConv(recipes, `${ours}.up`, stage, 'up.convt', upConvWeight);
    for (const [j, name] of residualNames(stage).entries())
      addResidual(recipes, `${ours}.blocks.${j}`, stage, name);
  }
  addNorm(recipes, 'tokenizer.decoder.inputNorm', state, 'decoder.final_block.0');
  addConv(recipes, 'tokenizer.decoder.output', state, 'decoder.conv_last.conv');
  addConv(recipes, 'tokenizer.encoder.input', state, 'encoder.conv_first.conv');
  for (let i = 0; i < state.count('encoder.conv_blocks'); i++) {
    const stage = state.under(`encoder.conv_blocks.${i}.`);
    const ours = `tokenizer.encoder.stages.${i}`;
    addConv(recipes, `${ours}.down`, stage, 'down.conv');
    for (const [j, name] of residualNames(stage).entries())
      addResidual(recipes, `${ours}.blocks.${j}`, stage, name);
  }
  addNorm(recipes, 'tokenizer.encoder.outputNorm', state, 'encoder.final_block.0');
  return recipes;
}

/** The residual blocks of a stage: `res` alone, or `res1`, `res2`, … */
export function residualNames(stage: StateDict): string[] {
  if (stage.has('res.conv1.conv.weight')) return ['res'];
  const names: string[] = [];
  while (stage.has(`res${names.length + 1}.conv1.conv.weight`)) names.push(`res${names.length + 1}`);
  return names;
}

function addResidual(recipes: Recipes, ours: string, state: StateDict, official: string): void {
  for (const part of ['1', '2']) {
    addNorm(recipes, `${ours}.norm${part}`, state, `${official}.norm${part}`);
    addConv(recipes, `${ours}.conv${part}`, state, `${official}.conv${part}.conv`);
  }
}

function addConv(
  recipes: Recipes,
  ours: string,
  state: StateDict,
  official: string,
  layout = convWeight,
): void {
  const weight = state.get(`${official}.weight`);
  const bias = state.get(`${official}.bias`);
  recipes.set(`${ours}.weight`, async () => layout(await plain(weight)));
  recipes.set(`${ours}.bias`, () => plain(bias));
}

function addLinear(recipes: Recipes, ours: string, state: StateDict, official: string): void {
  const weight = state.get(`${official}.weight`);
  const bias = state.get(`${official}.bias`);
  recipes.set(`${ours}.weight`, async () => linearWeight(await plain(weight)));
  recipes.set(`${ours}.bias`, () => plain(bias));
}

function addLayerNorm(recipes: Recipes, ours: string, state: StateDict, official: string): void {
  const weight = state.get(`${official}.weight`);
  const bias = state.get(`${official}.bias`);
  recipes.set(`${ours}.scale`, () => plain(weight));
  recipes.set(`${ours}.bias`, () => plain(bias));
}

/** A group norm as it is, a batch norm (told by its running statistics) folded. */
function addNorm(recipes: Recipes, ours: string, state: StateDict, official: string): void {
  if (!state.has(`${official}.running_mean`)) {
    addLayerNorm(recipes, ours, state, official);
    return;
  }
  const read = async () => {
    const [weight, bias, mean, variance] = await Promise.all(
      ['weight', 'bias', 'running_mean', 'running_var'].map((name) =>
        plain(state.get(`${official}.${name}`)),
      ),
    );
    if (!weight || !bias || !mean || !variance) throw new CheckpointError(`${official} is incomplete`);
    return foldBatchNorm({ weight, bias, mean, variance });
  };
  recipes.set(`${ours}.scale`, async () => (await read()).scale);
  recipes.set(`${ours}.bias`, async () => (await read()).bias);
}
