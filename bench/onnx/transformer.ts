/**
 * The transformer's forward pass as an ONNX graph: the same weights and the same arithmetic as src/model/transformer.ts,
 * for batch 1, with free numbers of context and target tokens. Letters: L latent tokens, C width, V vocabulary,
 * H heads, d = C/H.
 */
import type { BlockMode } from '../../src/config/model';
import { LAYER_NORM_EPSILON } from '../../src/kernels/layerNorm';
import type { BenchModel } from '../weights';
import { GraphBuilder, type Ref } from './builder';

/** Streams are rows without a batch axis: [L, C], [NC, C], [NT, C]. */
interface Streams {
  readonly latents: Ref;
  readonly contexts: Ref;
  readonly targets: Ref;
}

interface Context {
  readonly graph: GraphBuilder;
  readonly model: BenchModel;
  /** 0 where the context is empty; absent without latent_enc blocks. */
  readonly known?: Ref;
}

/** Whether the graph has the input `known`. */
export const readsKnown = ({ config }: BenchModel): boolean =>
  config.transformer.modes.includes('latent_enc');

/**
 * Inputs, all int32: `contextTokens` [NC] codes, `context` [NC] and `target` [NT] positions. Output `logits` [NT, V].
 * With latent_enc blocks NC may not be 0, as onnxruntime divides by the number of keys: an empty context is one token of
 * any kind, and the float32 `known` [1], else 1, is 0. It multiplies what those blocks read.
 */
export function transformerGraph(model: BenchModel): Uint8Array {
  const graph = new GraphBuilder();
  const known = readsKnown(model) ? { known: graph.input('known', 'float32', [1]) } : {};
  const context: Context = { graph, model, ...known };
  const { vocabulary, modes } = model.config.transformer;
  let streams = embed(context);
  modes.forEach((mode, i) => {
    streams = runBlock(context, mode, `transformer.blocks.${i}`, streams);
  });
  const normal = layerNorm(context, streams.targets, 'transformer.finalNorm');
  graph.output(graph.node('MatMul', [normal, weight(context, 'transformer.head.weight')]), 'logits', [
    'NT',
    vocabulary,
  ]);
  return graph.finish();
}

function weight({ graph, model }: Context, name: string): Ref {
  const { data, shape } = model.host(name);
  return graph.weight(data, shape);
}

function embed(context: Context): Streams {
  const { graph } = context;
  const tokens = graph.input('contextTokens', 'int32', ['NC']);
  const known = graph.input('context', 'int32', ['NC']);
  const target = graph.input('target', 'int32', ['NT']);
  const positions = weight(context, 'transformer.positionEmbedding');
  const rows = (table: Ref, indices: Ref): Ref => graph.node('Gather', [table, indices], { axis: 0 });
  return {
    latents: weight(context, 'transformer.latentTokens'),
    contexts: graph.node('Add', [
      rows(weight(context, 'transformer.tokenEmbedding'), tokens),
      rows(positions, known),
    ]),
    targets: graph.node('Add', [rows(positions, target), weight(context, 'transformer.maskEmbedding')]),
  };
}

function runBlock(context: Context, mode: BlockMode, name: string, streams: Streams): Streams {
  const { graph } = context;
  const { latents, contexts, targets } = streams;
  const attend = (query: Ref, others: readonly Ref[], queryIsKey: boolean, share?: Ref): Ref =>
    runAttention(context, name, { query, others, queryIsKey, ...(share ? { share } : {}) });
  switch (mode) {
    case 'latent_self':
      return { ...streams, latents: attend(latents, [], true) };
    case 'latent_enc':
      return { ...streams, latents: attend(latents, [contexts], false, context.known) };
    case 'lt2l':
      return { ...streams, latents: attend(latents, [targets], true) };
    case 'latent_dec':
      return { ...streams, targets: attend(targets, [latents], false) };
    case 'maskgit': {
      const next = attend(graph.node('Concat', [contexts, targets], { axis: 0 }), [], true);
      const count = graph.node('Shape', [contexts], { start: 0, end: 1 });
      const part = (from: Ref, to: Ref): Ref => graph.node('Slice', [next, from, to, graph.integers([0])]);
      return {
        latents,
        contexts: part(graph.integers([0]), count),
        targets: part(count, graph.integers([Number.MAX_SAFE_INTEGER])),
      };
    }
  }
}

function layerNorm(context: Context, x: Ref, name: string): Ref {
  return context.graph.node(
    'LayerNormalization',
    [x, weight(context, `${name}.scale`), weight(context, `${name}.bias`)],
    { axis: -1, epsilon: { float: LAYER_NORM_EPSILON } },
  );
}

/** x W + b. */
function linear(context: Context, x: Ref, name: string): Ref {
  return context.graph.node('Gemm', [x, weight(context, `${name}.weight`), weight(context, `${name}.bias`)]);
}

interface Attending {
  readonly query: Ref;
  readonly others: readonly Ref[];
  readonly queryIsKey: boolean;
  /** What was read is multiplied by it. */
  readonly share?: Ref;
}

function runAttention(context: Context, name: string, attending: Attending): Ref {
  const { query, others, queryIsKey, share } = attending;
  const { graph } = context;
  const normalQuery = layerNorm(context, query, `${name}.norm1`);
  const keys = others.map((x) => layerNorm(context, x, `${name}.norm1`));
  if (queryIsKey) keys.unshift(normalQuery);
  const [first = normalQuery] = keys;
  const key = keys.length > 1 ? graph.node('Concat', keys, { axis: 0 }) : first; // [NK, C]
  const read = attention(
    context,
    linear(context, normalQuery, `${name}.query`),
    linear(context, key, `${name}.key`),
    linear(context, key, `${name}.value`),
  );
  const mixed = share ? graph.node('Mul', [read, share]) : read;
  const sum = graph.node('Add', [linear(context, mixed, `${name}.projection`), normalQuery]);
  const hidden = graph.node('Gelu', [
    linear(context, layerNorm(context, sum, `${name}.norm2`), `${name}.expand`),
  ]);
  return graph.node('Add', [linear(context, hidden, `${name}.contract`), sum]);
}

/** query [NQ, C], key and value [NK, C] -> [NQ, C]. */
function attention({ graph, model }: Context, query: Ref, key: Ref, value: Ref): Ref {
  const { width, heads } = model.config.transformer;
  const size = width / heads;
  const split = (x: Ref, order: readonly number[]): Ref =>
    graph.node('Transpose', [graph.node('Reshape', [x, graph.integers([0, heads, size])])], { perm: order });
  const scaled = graph.node('Mul', [query, graph.scalar(1 / Math.sqrt(size))]);
  const scores = graph.node('MatMul', [split(scaled, [1, 0, 2]), split(key, [1, 2, 0])]); // [H, NQ, NK]
  const shares = graph.node('Softmax', [scores], { axis: -1 });
  const mixed = graph.node('MatMul', [shares, split(value, [1, 0, 2])]); // [H, NQ, d]
  const joined = graph.node('Transpose', [mixed], { perm: [1, 0, 2] });
  return graph.node('Reshape', [joined, graph.integers([0, width])]);
}
