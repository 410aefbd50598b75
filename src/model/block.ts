/** One transformer block in its five modes: which streams it reads and writes, and the arithmetic they share. */
import * as tf from '@tensorflow/tfjs-core';
import type { BlockMode, TransformerConfig } from '../config/model';
import { attention } from '../kernels/attention';
import { SUBMIT_FLOPS } from '../kernels/gpu';
import { layerNorm } from '../kernels/layerNorm';
import { type LinearWeights, linear } from '../kernels/linear';
import { sliceRows } from '../kernels/sliceRows';
import { type Observe, readScaleBias, type ScaleBias, type WeightReader } from './parameters';

/** The weights of one block, whatever it attends to. */
export interface BlockWeights {
  /** Serves query and key alike. */
  readonly norm1: ScaleBias;
  readonly norm2: ScaleBias;
  readonly query: LinearWeights;
  readonly key: LinearWeights;
  readonly value: LinearWeights;
  readonly projection: LinearWeights;
  /** [C, 4C], then GELU, then [4C, C]. */
  readonly expand: LinearWeights;
  readonly contract: LinearWeights;
}

export interface BlockParameters extends BlockWeights {
  readonly mode: BlockMode;
}

/** The three streams between blocks. */
export interface Streams {
  /** [B, L, C] */
  readonly latents: tf.Tensor3D;
  /** [B, NC, C] */
  readonly contexts: tf.Tensor3D;
  /** [B, NT, C] */
  readonly targets: tf.Tensor3D;
}

export function readBlock(
  mode: BlockMode,
  { width }: TransformerConfig,
  read: WeightReader,
  name: string,
): BlockParameters {
  return { mode, ...readBlockWeights(width, read, name) };
}

export function readBlockWeights(width: number, read: WeightReader, name: string): BlockWeights {
  const layer = (part: string, inputs: number, outputs: number): LinearWeights => ({
    weight: read.matrix(`${name}.${part}.weight`, [inputs, outputs]),
    bias: read.tensor(`${name}.${part}.bias`, [outputs]) as tf.Tensor1D,
  });
  return {
    norm1: readScaleBias(read, `${name}.norm1`, width),
    norm2: readScaleBias(read, `${name}.norm2`, width),
    query: layer('query', width, width),
    key: layer('key', width, width),
    value: layer('value', width, width),
    projection: layer('projection', width, width),
    expand: layer('expand', width, 4 * width),
    contract: layer('contract', 4 * width, width),
  };
}

/** Streams after the block; those it does not write are the same tensors. `observe` gets `<name>.<stream>` and `<name>.inner.*`. */
export function runBlock(
  block: BlockParameters,
  heads: number,
  streams: Streams,
  name: string,
  observe?: Observe,
): Streams {
  const { latents, contexts, targets } = streams;
  const inner: Observe | undefined = observe && ((part, value) => observe(`${name}.inner.${part}`, value));
  const attend = (query: tf.Tensor3D, others: readonly tf.Tensor3D[], queryIsKey: boolean): tf.Tensor3D =>
    runAttention(block, heads, query, others, queryIsKey, inner);
  switch (block.mode) {
    case 'latent_self':
    case 'latent_enc':
    case 'lt2l': {
      const others = { latent_self: [], latent_enc: [contexts], lt2l: [targets] }[block.mode];
      const next = attend(latents, others, block.mode !== 'latent_enc');
      observe?.(`${name}.sos`, next);
      return { ...streams, latents: next };
    }
    case 'latent_dec': {
      const next = attend(targets, [latents], false);
      observe?.(`${name}.targets`, next);
      return { ...streams, targets: next };
    }
    case 'maskgit': {
      const count = contexts.shape[1];
      const both = count === 0 ? targets : (tf.concat([contexts, targets], 1) as tf.Tensor3D); // [B, NC + NT, C]
      const next = attend(both, [], true);
      const nextContexts = sliceRows(next, 0, count);
      const nextTargets = sliceRows(next, count, targets.shape[1]);
      observe?.(`${name}.contexts`, nextContexts);
      observe?.(`${name}.targets`, nextTargets);
      return { ...streams, contexts: nextContexts, targets: nextTargets };
    }
  }
}

/**
 * query [B, NQ, C] attends to the streams `others` [B, n, C], and to itself before them when `queryIsKey`.
 * The normalised query is what the residual adds to; it is normalised once for both of its uses.
 */
function runAttention(
  block: BlockParameters,
  heads: number,
  query: tf.Tensor3D,
  others: readonly tf.Tensor3D[],
  queryIsKey: boolean,
  observe?: Observe,
): tf.Tensor3D {
  const { norm1 } = block;
  const normalise = (x: tf.Tensor3D): tf.Tensor3D => layerNorm(x, norm1.scale, norm1.bias) as tf.Tensor3D;
  const normalQuery = normalise(query);
  const keys = others.map(normalise);
  if (queryIsKey) keys.unshift(normalQuery);
  const [first = normalQuery] = keys;
  const normalKey = keys.length > 1 ? (tf.concat(keys, 1) as tf.Tensor3D) : first; // [B, NK, C]
  observe?.('ln1_query', normalQuery);
  observe?.('ln1_key', normalKey);

  const k = linear(normalKey, block.key) as tf.Tensor3D;
  const v = linear(normalKey, block.value) as tf.Tensor3D;
  observe?.('k', k);
  observe?.('v', v);
  if (observe) return runRows(block, heads, normalQuery, k, v, observe);
  return inPieces(normalQuery, rowsAtOnce(normalQuery.shape[2]), (rows) =>
    tf.tidy(() => runRows(block, heads, rows, k, v)),
  );
}

/** What is done for each query by itself: normalQuery [B, n, C], k and v [B, NK, C] -> [B, n, C]. */
function runRows(
  block: BlockParameters,
  heads: number,
  normalQuery: tf.Tensor3D,
  k: tf.Tensor3D,
  v: tf.Tensor3D,
  observe?: Observe,
): tf.Tensor3D {
  const q = linear(normalQuery, block.query) as tf.Tensor3D;
  observe?.('q', q);
  const mixed = attention(q, k, v, heads); // [B, n, C]
  observe?.('attn_heads', mixed);
  // The projection alone is asked for only by tests; otherwise it is added to the query in one step.
  const sum = linear(mixed, block.projection, { residual: normalQuery }) as tf.Tensor3D;
  observe?.('proj', tf.sub(sum, normalQuery));
  const normalSum = layerNorm(sum, block.norm2.scale, block.norm2.bias);
  observe?.('ln2', normalSum);
  const hidden = linear(normalSum, block.expand, { activation: 'gelu' }); // [B, n, 4C]
  const out = linear(hidden, block.contract, { residual: sum }) as tf.Tensor3D;
  observe?.('mlp', tf.sub(out, sum));
  return out;
}

/** Queries whose widest layer, [C, 4C], is one submit's work: 1,856 at width 1,024. It bounds their memory, too. */
export function rowsAtOnce(width: number): number {
  return Math.max(64, Math.floor(SUBMIT_FLOPS / (8 * width * width) / 64) * 64);
}

/** `run` over at most `most` rows of x [B, n, C] at a time, put together again. */
export function inPieces(x: tf.Tensor3D, most: number, run: (rows: tf.Tensor3D) => tf.Tensor3D): tf.Tensor3D {
  const count = x.shape[1];
  if (count <= most) return run(x);
  return tf.tidy(() => {
    const pieces = Array.from({ length: Math.ceil(count / most) }, (_, i) =>
      tf.tidy(() => run(sliceRows(x, i * most, Math.min(most, count - i * most)))),
    );
    return tf.concat(pieces, 1);
  });
}
