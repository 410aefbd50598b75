/**
 * The autoregressive transformer, p(y) = Π p(y_i | y_<i) (Eq. 2 of the paper): parameters, a pass over a whole sequence,
 * and one step with a key/value cache. It is what MeBT is measured against: blocks of the same weights, pre-norm and
 * causal. It decides nothing about sampling. One sequence at a time (B = 1).
 *
 * The input at position i is token y_{i-1}, at position 0 the start token; the logits there are those of y_i.
 */
import * as tf from '@tensorflow/tfjs-core';
import type { AutoregressiveConfig } from '../config/model';
import { attention } from '../kernels/attention';
import { embedAt } from '../kernels/embedding';
import { layerNorm } from '../kernels/layerNorm';
import { linear } from '../kernels/linear';
import type { Matrix } from '../kernels/matrix';
import { writeRows } from '../kernels/writeRows';
import { type BlockWeights, readBlockWeights } from './block';
import { readScaleBias, type ScaleBias, type WeightReader } from './parameters';

export interface AutoregressiveParameters {
  readonly config: AutoregressiveConfig;
  /** [V, C] */
  readonly tokenEmbedding: Matrix;
  /** [positions, C] */
  readonly positionEmbedding: Matrix;
  /** [C] */
  readonly startToken: tf.Tensor1D;
  readonly blocks: readonly BlockWeights[];
  readonly finalNorm: ScaleBias;
  /** [C, V] */
  readonly head: Matrix;
}

/** Keys and values of the positions so far; its tensors are written in place, row by row. */
export interface KeyValueCache {
  /** Positions there is room for. */
  readonly capacity: number;
  /** Positions that are in it; the next step adds one. */
  length: number;
  /** One tensor [1, capacity, C] a block. */
  readonly keys: readonly tf.Tensor3D[];
  readonly values: readonly tf.Tensor3D[];
}

/** Reads all weights; the tensors then belong to the result: free them with `tf.dispose(parameters)`. */
export function readAutoregressive(
  config: AutoregressiveConfig,
  read: WeightReader,
): AutoregressiveParameters {
  const { width, vocabulary, positions } = config;
  const matrix = (name: string, rows: number, columns: number): Matrix =>
    read.matrix(`transformer.${name}`, [rows, columns]);
  return {
    config,
    tokenEmbedding: matrix('tokenEmbedding', vocabulary, width),
    positionEmbedding: matrix('positionEmbedding', positions, width),
    startToken: read.tensor('transformer.startToken', [width]) as tf.Tensor1D,
    blocks: Array.from({ length: config.blocks }, (_, i) =>
      readBlockWeights(width, read, `transformer.blocks.${i}`),
    ),
    finalNorm: readScaleBias(read, 'transformer.finalNorm', width),
    head: matrix('head.weight', width, vocabulary),
  };
}

/** Room for `capacity` positions, all of it allocated now; free it with `disposeCache`. */
export function createCache({ config }: AutoregressiveParameters, capacity: number): KeyValueCache {
  if (!Number.isInteger(capacity) || capacity < 1 || capacity > config.positions) {
    throw new RangeError(
      `createCache: room for ${capacity} positions was asked for; the model has ${config.positions}.`,
    );
  }
  const rows = (): tf.Tensor3D[] =>
    Array.from({ length: config.blocks }, () => tf.fill([1, capacity, config.width], 0));
  return { capacity, length: 0, keys: rows(), values: rows() };
}

export function disposeCache({ keys, values }: KeyValueCache): void {
  tf.dispose([...keys, ...values]);
}

/**
 * One position: takes the token before it (null at the start), adds its keys and values to the cache, and gives the
 * logits [1, V] of the token there. The past is not computed again. The caller disposes the result.
 */
export function runAutoregressiveStep(
  parameters: AutoregressiveParameters,
  cache: KeyValueCache,
  previous: number | null,
): tf.Tensor2D {
  const position = cache.length;
  if (position >= cache.capacity) {
    throw new RangeError(`runAutoregressiveStep: the cache is full at ${cache.capacity} positions.`);
  }
  if ((previous === null) !== (position === 0)) {
    throw new RangeError(
      `runAutoregressiveStep: position ${position} follows ${position === 0 ? 'no token; give null' : 'a token; give it'}.`,
    );
  }
  const logits = tf.tidy(() => {
    const { config, blocks } = parameters;
    let x = embed(parameters, previous === null ? new Int32Array(0) : Int32Array.of(previous), position); // [1, 1, C]
    blocks.forEach((block, i) => {
      x = replacing(x, () =>
        runBlock(block, x, (query, key, value) => {
          const [keys, values] = [cache.keys[i], cache.values[i]];
          if (!keys || !values) throw new RangeError(`runAutoregressiveStep: the cache has no block ${i}.`);
          writeRows(keys, key, position);
          writeRows(values, value, position);
          return attention(query, keys, values, config.heads, { keyCount: position + 1 });
        }),
      );
    });
    return tf.reshape(predict(parameters, x), [1, config.vocabulary]) as tf.Tensor2D;
  });
  cache.length += 1;
  return logits;
}

/** Logits [1, N + 1, V] after the start token and each of the N `tokens`. The caller disposes the result. */
export function runAutoregressive(parameters: AutoregressiveParameters, tokens: Int32Array): tf.Tensor3D {
  return tf.tidy(() => {
    const { config, blocks } = parameters;
    let x = embed(parameters, tokens, 0); // [1, N + 1, C]
    for (const block of blocks) {
      x = replacing(x, () =>
        runBlock(block, x, (...qkv) => attention(...qkv, config.heads, { causal: true })),
      );
    }
    return predict(parameters, x);
  });
}

/** Inputs from position `first` on: the start token if that is 0, then the tokens. -> [1, n, C]. */
function embed(parameters: AutoregressiveParameters, tokens: Int32Array, first: number): tf.Tensor3D {
  const { tokenEmbedding: table, positionEmbedding, startToken } = parameters;
  const parts: tf.Tensor2D[] = [];
  if (first === 0) parts.push(embedAt({ vector: startToken }, positionEmbedding, Int32Array.of(0)));
  if (tokens.length > 0) {
    const positions = Int32Array.from({ length: tokens.length }, (_, i) => first + parts.length + i);
    parts.push(embedAt({ table, codes: tokens }, positionEmbedding, positions));
  }
  return tf.expandDims(tf.concat(parts, 0), 0);
}

type Attend = (query: tf.Tensor3D, key: tf.Tensor3D, value: tf.Tensor3D) => tf.Tensor3D;

/** x [1, n, C] -> [1, n, C]: x + attention(norm(x)), then + MLP(norm(·)). */
function runBlock(block: BlockWeights, x: tf.Tensor3D, attend: Attend): tf.Tensor3D {
  const { norm1, norm2 } = block;
  const normal = layerNorm(x, norm1.scale, norm1.bias);
  const mixed = attend(
    linear(normal, block.query) as tf.Tensor3D,
    linear(normal, block.key) as tf.Tensor3D,
    linear(normal, block.value) as tf.Tensor3D,
  );
  const sum = linear(mixed, block.projection, { residual: x });
  const hidden = linear(layerNorm(sum, norm2.scale, norm2.bias), block.expand, { activation: 'gelu' }); // [1, n, 4C]
  return linear(hidden, block.contract, { residual: sum }) as tf.Tensor3D;
}

/** x [1, n, C] -> logits [1, n, V]. */
function predict({ finalNorm, head }: AutoregressiveParameters, x: tf.Tensor3D): tf.Tensor3D {
  return linear(layerNorm(x, finalNorm.scale, finalNorm.bias), { weight: head }) as tf.Tensor3D;
}

/** The result of `run`, with everything else that it made and the tensor that it replaces freed. */
function replacing(before: tf.Tensor3D, run: () => tf.Tensor3D): tf.Tensor3D {
  const after = tf.tidy(run);
  before.dispose();
  return after;
}
