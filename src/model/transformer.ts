/**
 * The masked bottleneck transformer: parameters and one forward pass. It decides nothing about sampling.
 * Letters: B batch, N tokens, NC context, NT target, L latent tokens, C width, V vocabulary (see config/model.ts).
 */
import * as tf from '@tensorflow/tfjs-core';
import type { Extent3, TransformerConfig } from '../config/model';
import { type Scene, sceneTokens, toldTokens, traitRows } from '../config/scene';
import { embedAt, embedding } from '../kernels/embedding';
import { layerNorm } from '../kernels/layerNorm';
import { linear } from '../kernels/linear';
import type { Matrix } from '../kernels/matrix';
import { sliceRows } from '../kernels/sliceRows';
import { writeRows } from '../kernels/writeRows';
import {
  type BlockParameters,
  lastReaderOfTargets,
  readBlock,
  readsContexts,
  readsTargets,
  runBlock,
} from './block';
import { type Guide, guideTargets } from './guidance';
import { type Observe, readScaleBias, type ScaleBias, type WeightReader } from './parameters';
import { piecesOf, rowsAtOnce } from './rowPieces';

export interface TransformerParameters {
  readonly config: TransformerConfig;
  /** [V, C] */
  readonly tokenEmbedding: Matrix;
  /** [positions, C] */
  readonly positionEmbedding: Matrix;
  /** [C] */
  readonly maskEmbedding: tf.Tensor1D;
  /** [L, C] */
  readonly latentTokens: tf.Tensor2D;
  /** [rows of all traits, C] (traitRows); of models that can be told what a clip is of. */
  readonly traitEmbedding?: tf.Tensor2D;
  /** [tokens told, C] what this clip is of (tellScene). */
  readonly told?: tf.Tensor2D;
  readonly blocks: readonly BlockParameters[];
  readonly finalNorm: ScaleBias;
  /** [C, V] */
  readonly head: Matrix;
}

/** Positions are indices into the grid, t·H'·W' + h·W' + w. Arrays hold the samples of a batch one after the other. */
export interface TokenSets {
  /** B; 1 when left out. */
  readonly batch?: number;
  /** [B, N] the code at every position; read only at the context positions. */
  readonly tokens: Int32Array;
  /** [B, NC] positions whose tokens are known; may be empty. */
  readonly context: Int32Array;
  /** [B, NT] positions to predict. */
  readonly target: Int32Array;
  /** [B, NM] positions that are masked, too, but not predicted; none when left out. */
  readonly masked?: Int32Array;
  /**
   * Where `target` and `masked` are a part of all that is masked, spread over the grid: all of it over that part. What
   * the latent tokens read of them is weighted so that it is, but for chance, what they would read of all. 1 when left
   * out. For models that were trained on such parts.
   */
  readonly standsFor?: number;
  /** Stresses what the context says; nothing does when left out. */
  readonly guide?: Guide;
}

/** Reads all weights; the tensors then belong to the result: free them with `tf.dispose(parameters)`. */
export function readTransformer(config: TransformerConfig, read: WeightReader): TransformerParameters {
  const { width, vocabulary, positions, latentTokens, modes, traits = [] } = config;
  const matrix = (name: string, rows: number, columns: number): Matrix =>
    read.matrix(`transformer.${name}`, [rows, columns]);
  const table = (name: string, rows: number): tf.Tensor2D => read.tensor(name, [rows, width]) as tf.Tensor2D;
  return {
    config,
    tokenEmbedding: matrix('tokenEmbedding', vocabulary, width),
    positionEmbedding: matrix('positionEmbedding', positions, width),
    maskEmbedding: read.tensor('transformer.maskEmbedding', [width]) as tf.Tensor1D,
    latentTokens: table('transformer.latentTokens', latentTokens),
    ...(traits.length > 0 ? { traitEmbedding: table('transformer.traitEmbedding', traitRows(traits)) } : {}),
    blocks: modes.map((mode, i) => readBlock(mode, config, read, `transformer.blocks.${i}`)),
    finalNorm: readScaleBias(read, 'transformer.finalNorm', width),
    head: matrix('head.weight', width, vocabulary),
  };
}

/**
 * The transformer that is told what a clip of T'×H'×W' is of: every pass reads the tokens that `scene` means (sceneTokens)
 * as it reads known ones, ahead of them; those that stand in a frame have the position of its middle. What is left open
 * are rows of zeros, as in training. All else is shared, so free `told` alone. A transformer that cannot be told comes back
 * as it is.
 * @throws RangeError where `scene` has a value that its trait does not know
 */
export function tellScene(
  parameters: TransformerParameters,
  scene: Scene,
  [time, height, width]: Extent3,
): TransformerParameters {
  const { config, traitEmbedding, positionEmbedding } = parameters;
  const { traits = [] } = config;
  if (!traitEmbedding) return parameters;
  const tokens = sceneTokens(traits, scene);
  const middle = Math.floor(height / 2) * width + Math.floor(width / 2);
  const at = { first: middle, last: (time - 1) * height * width + middle };
  const placed = tokens.flatMap(({ row, frame }) => (frame ? [{ row, position: at[frame] }] : []));
  const others = tokens.filter(({ frame }) => !frame);
  const rowsOf = (some: readonly { readonly row: number }[]) => Int32Array.from(some, ({ row }) => row);
  const positions = Int32Array.from(placed, ({ position }) => position);
  const told = tf.tidy(() => {
    const parts = [
      embedAt({ table: traitEmbedding, codes: rowsOf(placed) }, positionEmbedding, positions),
      embedding(traitEmbedding, rowsOf(others)),
      tf.zeros([toldTokens(traits) - tokens.length, config.width]) as tf.Tensor2D,
    ].filter(({ shape }) => shape[0] > 0);
    return parts.length === 1 ? (parts[0] as tf.Tensor2D) : tf.concat(parts);
  });
  return { ...parameters, told };
}

/**
 * All logits [B, NT, V] at once, in the order of `target`: for fixtures and measurements, as they take 4·B·NT·V bytes
 * (537 MB for 128 frames of the official model). Sampling goes through `runTrunk` and `runHeadInChunks`.
 * The caller disposes the result. `observe` sees what `runTrunk` shows, and `logits`.
 */
export function runTransformer(
  parameters: TransformerParameters,
  sets: TokenSets,
  observe?: Observe,
): tf.Tensor3D {
  return tf.tidy(() => {
    const logits = runHead(parameters, runTrunk(parameters, sets, observe)); // [B, NT, V]
    observe?.('logits', logits);
    return logits;
  });
}

/**
 * Everything but the head: hidden states of the targets after the final norm, guided or not, [B, NT, C]. The caller
 * disposes them.
 * `observe` sees `input.*`, `blockNN.*`, `blockNN.inner.*` and `ln_f`. Masked positions that are not asked for go along
 * behind the targets for as long as others read them.
 */
export function runTrunk(parameters: TransformerParameters, sets: TokenSets, observe?: Observe): tf.Tensor3D {
  return tf.tidy(() => {
    const { config, blocks } = parameters;
    const { standsFor = 1 } = sets;
    const embed = embeddingsOf(parameters, sets);
    let latents = embed.latents();
    // Contexts and targets are there from the first block that reads them; contexts until the last one.
    let contexts = observe && embed.contexts();
    let targets = observe && embed.targets();
    const modes = blocks.map(({ mode }) => mode);
    const lastOfContexts = modes.findLastIndex(readsContexts);
    const lastOfTargets = lastReaderOfTargets(modes);
    const targetCount = sets.target.length / (sets.batch ?? 1);
    observe?.('input.sos', latents);
    if (contexts) observe?.('input.contexts', contexts);
    if (targets) observe?.('input.targets', targets);
    blocks.forEach((block, i) => {
      if (readsContexts(block.mode)) contexts ??= embed.contexts();
      if (readsTargets(block.mode)) targets ??= embed.targets();
      if (targets && i > lastOfTargets) targets = keepRows(targets, targetCount);
      const name = `block${String(i).padStart(2, '0')}`;
      const streams = { latents, contexts, targets, standsFor };
      const next = tf.tidy(() => runBlock(block, config.heads, streams, name, observe));
      if (next !== latents) latents.dispose();
      latents = next;
      if (i === lastOfContexts) contexts?.dispose();
    });
    targets = keepRows(targets ?? embed.targets(), targetCount);
    const normal = normaliseTargets(parameters, targets, observe !== undefined); // [B, NT, C]
    observe?.('ln_f', normal);
    return sets.guide ? guideTargets(normal, sets.guide, sets.target) : normal;
  });
}

/** What it makes of all `count` tokens of a clip where none is known, for guidance: h₀ [N, C]. The caller disposes it. */
export function runUnknowing(parameters: TransformerParameters, count: number): tf.Tensor2D {
  const target = Int32Array.from({ length: count }, (_, position) => position);
  const nothingKnown = { tokens: new Int32Array(count), context: new Int32Array(0), target };
  return tf.tidy(() => tf.reshape(runTrunk(parameters, nothingKnown), [count, parameters.config.width]));
}

/** The first `count` rows of each sample, [B, count, C], in the place of x [B, n, C]. */
function keepRows(x: tf.Tensor3D, count: number): tf.Tensor3D {
  if (count === x.shape[1]) return x;
  const kept = sliceRows(x, 0, count);
  x.dispose();
  return kept;
}

/** The final norm, in place unless the clip is a short one. */
function normaliseTargets(
  { finalNorm, config }: TransformerParameters,
  targets: tf.Tensor3D,
  atOnce: boolean,
): tf.Tensor3D {
  const normalise = (rows: tf.Tensor3D): tf.Tensor3D =>
    layerNorm(rows, finalNorm.scale, finalNorm.bias) as tf.Tensor3D;
  const most = rowsAtOnce(config.width, targets.shape[1], targets.shape[0]).attention;
  if (atOnce || targets.shape[1] <= most) return normalise(targets);
  for (const [first, count] of piecesOf(targets.shape[1], most)) {
    tf.tidy(() => writeRows(targets, normalise(sliceRows(targets, first, count)), first));
  }
  return targets;
}

/** Hidden states [..., C] to logits [..., V]. */
function runHead<T extends tf.Tensor>({ head }: TransformerParameters, hidden: T): T {
  return linear(hidden, { weight: head }) as T;
}

/** Most bytes that the logits of one chunk take; a processor gains nothing from larger chunks. */
export const LOGIT_BYTES = { webgpu: 16 * 2 ** 20, others: 4 * 2 ** 20 } as const;

const logitBytes = (): number => LOGIT_BYTES[tf.getBackend() === 'webgpu' ? 'webgpu' : 'others'];

/** Rows of the head at once: what bytes allow, and on WebGPU no more than blocks take at once (rowPieces.ts). */
function headRows({ width, vocabulary }: TransformerConfig, rows: number, mostBytes: number): number {
  const inBytes = Math.max(1, Math.floor(mostBytes / (vocabulary * Float32Array.BYTES_PER_ELEMENT)));
  return tf.getBackend() === 'webgpu' ? Math.min(inBytes, rowsAtOnce(width, rows).hidden) : inBytes;
}

/** Logits [rows, V] of the hidden states from row `first` on. */
export interface LogitRows {
  readonly first: number;
  readonly logits: tf.Tensor2D;
}

/**
 * Logits of `hidden` [B, NT, C], so many rows at a time as fit into `mostBytes` (but one at least). A chunk's tensor
 * is freed when the next one is asked for.
 */
export function* runHeadInChunks(
  parameters: TransformerParameters,
  hidden: tf.Tensor3D,
  mostBytes: number = logitBytes(),
): Generator<LogitRows, void, undefined> {
  const { width } = parameters.config;
  const rows = hidden.size / width;
  const most = headRows(parameters.config, rows, mostBytes);
  for (let first = 0; first < rows; first += most) {
    const logits = tf.tidy(() => {
      const all = tf.reshape(hidden, [rows, width]) as tf.Tensor2D; // [B·NT, C]
      if (rows <= most) return runHead(parameters, all);
      const one = tf.reshape(all, [1, rows, width]) as tf.Tensor3D;
      const some = sliceRows(one, first, Math.min(most, rows - first));
      return runHead(parameters, tf.reshape(some, [-1, width]) as tf.Tensor2D); // [rows of the chunk, V]
    });
    try {
      yield { first, logits };
    } finally {
      logits.dispose();
    }
  }
}

/**
 * What enters the blocks: latent tokens without positions, contexts with their codes (behind what was told), targets with
 * the mask embedding.
 */
function embeddingsOf(
  parameters: TransformerParameters,
  sets: TokenSets,
): Record<'latents' | 'contexts' | 'targets', () => tf.Tensor3D> {
  const { tokens, context, target, masked = new Int32Array(0), batch = 1, standsFor = 1 } = sets;
  const { config, tokenEmbedding, positionEmbedding, maskEmbedding, latentTokens, told } = parameters;
  const { width } = config;
  const counts = {
    tokens: tokens.length / batch,
    context: context.length / batch,
    target: target.length / batch,
    masked: masked.length / batch,
  };
  const n = counts.tokens;
  for (const [name, count] of Object.entries(counts)) {
    if (!Number.isInteger(count)) {
      throw new RangeError(`runTransformer: ${name} does not divide into ${batch} samples of equal length.`);
    }
  }
  if (n > config.positions) {
    throw new RangeError(`runTransformer: ${n} tokens exceed the model's ${config.positions} positions.`);
  }
  if (standsFor !== 1 && config.modes.includes('maskgit')) {
    throw new RangeError(
      `runTransformer: targets stand for ${standsFor} tokens each, but dense blocks read every masked token.`,
    );
  }
  return {
    latents: () => {
      const learned = tf.reshape(latentTokens, [1, config.latentTokens, width]) as tf.Tensor3D;
      return batch === 1 ? learned : tf.tile(learned, [batch, 1, 1]);
    },
    contexts: () => {
      const codes = context.map((position, i) => tokens[Math.floor(i / counts.context) * n + position] ?? -1);
      return tf.tidy(() => {
        const known = embedAt({ table: tokenEmbedding, codes }, positionEmbedding, context);
        const rows = tf.reshape(known, [batch, counts.context, width]) as tf.Tensor3D;
        return told ? behind(told, rows) : rows;
      });
    },
    targets: () =>
      tf.tidy(() => {
        const positions = interleave(target, masked, batch);
        const hidden = embedAt({ vector: maskEmbedding }, positionEmbedding, positions);
        return tf.reshape(hidden, [batch, counts.target + counts.masked, width]);
      }),
  };
}

/** x [B, n, C] behind the same rows [m, C] in every sample: [B, m + n, C]. */
function behind(rows: tf.Tensor2D, x: tf.Tensor3D): tf.Tensor3D {
  const [batch, count] = x.shape;
  const one = tf.reshape(rows, [1, ...rows.shape]) as tf.Tensor3D;
  const ahead = batch === 1 ? one : tf.tile(one, [batch, 1, 1]);
  return count === 0 ? ahead : tf.concat([ahead, x], 1);
}

/** [B, n] and [B, m] -> [B, n + m]: of each sample first the one, then the other. */
function interleave(first: Int32Array, second: Int32Array, batch: number): Int32Array {
  const [n, m] = [first.length / batch, second.length / batch];
  if (m === 0) return first;
  const both = new Int32Array(first.length + second.length);
  for (let sample = 0; sample < batch; sample++) {
    both.set(first.subarray(sample * n, (sample + 1) * n), sample * (n + m));
    both.set(second.subarray(sample * m, (sample + 1) * m), sample * (n + m) + n);
  }
  return both;
}
