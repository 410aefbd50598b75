/** One transformer block in its five modes: which streams it reads and writes, and the arithmetic they share. */
import * as tf from '@tensorflow/tfjs-core';
import type { BlockMode, TransformerConfig } from '../config/model';
import { attention } from '../kernels/attention';
import { attentionInPieces, type KeyPiece } from '../kernels/attention/pieces';
import { layerNorm } from '../kernels/layerNorm';
import { type LinearWeights, linear } from '../kernels/linear';
import { sliceRows } from '../kernels/sliceRows';
import { unwritten, writeRows } from '../kernels/writeRows';
import { type Observe, readScaleBias, type ScaleBias, type WeightReader } from './parameters';
import { ALL_ROWS, piecesOf, type RowsAtOnce, rowsAtOnce } from './rowPieces';

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

/** The three streams between blocks; contexts and targets may be missing where no block at hand reads them. */
export interface Streams {
  /** [B, L, C] */
  readonly latents: tf.Tensor3D;
  /** [B, NC, C] */
  readonly contexts?: tf.Tensor3D | undefined;
  /** [B, NT, C] */
  readonly targets?: tf.Tensor3D | undefined;
  /** In the place of how many masked tokens each target is, where latent tokens read them; 1 when left out. */
  readonly standsFor?: number;
}

export const readsContexts = (mode: BlockMode): boolean => mode === 'latent_enc' || mode === 'maskgit';
export const readsTargets = (mode: BlockMode): boolean =>
  mode === 'lt2l' || mode === 'latent_dec' || mode === 'maskgit';

/**
 * Index of the last block in which other tokens read the targets; -1 where none does. From there on each target goes
 * its own way.
 */
export const lastReaderOfTargets = (modes: readonly BlockMode[]): number =>
  modes.findLastIndex((mode) => mode === 'lt2l' || mode === 'maskgit');

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

/**
 * The latents after the block: a new tensor, or the same where it does not write them. Contexts and targets that it
 * writes are overwritten, so they must not share their data. `observe` gets `<name>.<stream>` and `<name>.inner.*`; `rows` are
 * chosen by width when left out.
 */
export function runBlock(
  block: BlockParameters,
  heads: number,
  { latents, contexts, targets, standsFor = 1 }: Streams,
  name: string,
  observe?: Observe,
  rows?: RowsAtOnce,
): tf.Tensor3D {
  const run: Run = {
    block,
    heads,
    rows: rows ?? (observe ? ALL_ROWS : rowsFor(latents, contexts, targets)),
    observe: observe && ((part, value) => observe(`${name}.inner.${part}`, value)),
  };
  const streams = (...given: readonly (tf.Tensor3D | undefined)[]): tf.Tensor3D[] =>
    given.map((stream) => {
      if (!stream) throw new Error(`runBlock: ${name} (${block.mode}) reads a stream that is not there.`);
      return stream;
    });
  switch (block.mode) {
    case 'latent_self':
    case 'latent_enc':
    case 'lt2l': {
      const others = { latent_self: [], latent_enc: [contexts], lt2l: [targets] }[block.mode];
      const weight = block.mode === 'lt2l' ? standsFor : 1;
      const next = readStreams(run, latents, streams(...others), block.mode !== 'latent_enc', weight);
      observe?.(`${name}.sos`, next);
      return next;
    }
    case 'latent_dec': {
      const [written] = streams(targets);
      if (written) rewriteStreams(run, [written], [latents]);
      if (written) observe?.(`${name}.targets`, written);
      return latents;
    }
    case 'maskgit': {
      const both = streams(contexts, targets);
      rewriteStreams(run, both, both);
      both.forEach((stream, i) => {
        observe?.(`${name}.${i === 0 ? 'contexts' : 'targets'}`, stream);
      });
      return latents;
    }
  }
}

function rowsFor(
  { shape: [batch, , width] }: tf.Tensor3D,
  ...streams: (tf.Tensor3D | undefined)[]
): RowsAtOnce {
  return rowsAtOnce(width, Math.max(...streams.map((stream) => stream?.shape[1] ?? 0)), batch);
}

/** A block at work. `rows` are all where intermediate results are observed. */
interface Run {
  readonly block: BlockWeights;
  readonly heads: number;
  readonly rows: RowsAtOnce;
  readonly observe?: Observe | undefined;
}

/**
 * Few queries: latents [B, L, C] attend to the streams `others` [B, n, C], each row of which counts `weight` times, and
 * to themselves before them when `queryIsKey`. Keys and values are made piece by piece and never there all at once.
 * The normalised query is what the residual adds to; it is normalised once for both of its uses.
 */
function readStreams(
  run: Run,
  latents: tf.Tensor3D,
  others: readonly tf.Tensor3D[],
  queryIsKey: boolean,
  weight: number,
): tf.Tensor3D {
  const { block, heads, observe } = run;
  const normalQuery = normalise(block, latents);
  observe?.('ln1_query', normalQuery);
  const q = linear(normalQuery, block.query) as tf.Tensor3D;
  observe?.('q', q);
  const mixed = attentionInPieces(q, keyPieces(run, queryIsKey ? [normalQuery] : [], others, weight), heads);
  q.dispose();
  observe?.('attn_heads', mixed);
  const next = unwritten(latents.shape);
  finish(run, normalQuery, mixed, next, 0);
  return next;
}

/**
 * Many queries: each row of `streams` attends to all of `sources`, and becomes its own result. Keys and values are
 * complete before the first row is overwritten, so that a source may be a stream. Observed, queries come stream by stream.
 */
function rewriteStreams(run: Run, streams: readonly tf.Tensor3D[], sources: readonly tf.Tensor3D[]): void {
  const { block, heads, rows, observe } = run;
  const { key, value } = keysAndValues(keyPieces(run, [], sources, 1));
  for (const stream of streams) {
    for (const [first, count] of piecesOf(stream.shape[1], rows.attention)) {
      tf.tidy(() => {
        const normalQuery = normaliseRows(block, stream, first, count);
        observe?.('ln1_query', normalQuery);
        const q = linear(normalQuery, block.query) as tf.Tensor3D;
        observe?.('q', q);
        const mixed = attention(q, key, value, heads);
        q.dispose();
        observe?.('attn_heads', mixed);
        finish(run, normalQuery, mixed, stream, first);
      });
    }
  }
  tf.dispose([key, value]);
}

/**
 * Keys and values of rows that are normalised already, then of streams that are not, whose rows count `weight` times; in
 * one piece if that is a small one of equal weights.
 */
function keyPieces(
  { block, rows, observe }: Run,
  normal: readonly tf.Tensor3D[],
  streams: readonly tf.Tensor3D[],
  weight: number,
): KeyPiece[] {
  const project = (normalKey: tf.Tensor3D): { key: tf.Tensor3D; value: tf.Tensor3D } => {
    observe?.('ln1_key', normalKey);
    const key = linear(normalKey, block.key) as tf.Tensor3D;
    const value = linear(normalKey, block.value) as tf.Tensor3D;
    observe?.('k', key);
    observe?.('v', value);
    return { key, value };
  };
  const piece = (count: number, normalKey: () => tf.Tensor3D, weight = 1): KeyPiece => ({
    count,
    weight,
    make: () => tf.tidy(() => project(normalKey())),
  });
  const total = rowCount([...normal, ...streams]);
  if (total <= rows.attention && weight === 1) {
    return [piece(total, () => joinRows([...normal, ...streams.map((x) => normalise(block, x))]))];
  }
  return [
    ...normal.map((x) => piece(x.shape[1], () => x)),
    ...streams.flatMap((x) =>
      piecesOf(x.shape[1], rows.attention).map(([first, count]) =>
        piece(count, () => normaliseRows(block, x, first, count), weight),
      ),
    ),
  ];
}

/** Those of all pieces, one after the other, [B, NK, C] each. The caller disposes them. */
function keysAndValues(pieces: readonly KeyPiece[]): { key: tf.Tensor3D; value: tf.Tensor3D } {
  const [only] = pieces;
  if (only && pieces.length === 1) return only.make();
  let all: { key: tf.Tensor3D; value: tf.Tensor3D } | undefined;
  const total = pieces.reduce((sum, { count }) => sum + count, 0);
  let first = 0;
  for (const { count, make } of pieces) {
    const { key, value } = make();
    const shape: [number, number, number] = [key.shape[0], total, key.shape[2]];
    all ??= { key: unwritten(shape), value: unwritten(shape) };
    writeRows(all.key, key, first);
    writeRows(all.value, value, first);
    tf.dispose([key, value]);
    first += count;
  }
  if (!all) throw new Error('keysAndValues: there are no keys.');
  return all;
}

/** What follows attention, for each row by itself: normalQuery and mixed [B, n, C] to rows `first` … of `into`. */
function finish(
  { block, rows, observe }: Run,
  normalQuery: tf.Tensor3D,
  mixed: tf.Tensor3D,
  into: tf.Tensor3D,
  first: number,
): void {
  for (const [start, count] of piecesOf(normalQuery.shape[1], rows.hidden)) {
    tf.tidy(() => {
      const residual = rowsOf(normalQuery, start, count);
      // The projection alone is asked for only by tests; otherwise it is added to the query in one step.
      const sum = linear(rowsOf(mixed, start, count), block.projection, { residual });
      observe?.('proj', tf.sub(sum, residual));
      const hidden = tf.tidy(() => {
        const normalSum = layerNorm(sum, block.norm2.scale, block.norm2.bias);
        observe?.('ln2', normalSum);
        return linear(normalSum, block.expand, { activation: 'gelu' }); // [B, n, 4C]
      });
      const out = linear(hidden, block.contract, { residual: sum }) as tf.Tensor3D;
      observe?.('mlp', tf.sub(out, sum));
      writeRows(into, out, first + start);
    });
  }
}

function normalise({ norm1 }: BlockWeights, x: tf.Tensor3D): tf.Tensor3D {
  return layerNorm(x, norm1.scale, norm1.bias) as tf.Tensor3D;
}

function normaliseRows(block: BlockWeights, x: tf.Tensor3D, first: number, count: number): tf.Tensor3D {
  return tf.tidy(() => normalise(block, rowsOf(x, first, count)));
}

const rowCount = (streams: readonly tf.Tensor3D[]): number =>
  streams.reduce((sum, { shape }) => sum + shape[1], 0);

/** x [B, N, C] -> [B, count, C]; x itself where that is all of it. */
function rowsOf(x: tf.Tensor3D, first: number, count: number): tf.Tensor3D {
  return count === x.shape[1] ? x : sliceRows(x, first, count);
}

/** Streams [B, n, C], one after the other. */
function joinRows(streams: readonly tf.Tensor3D[]): tf.Tensor3D {
  const given = streams.filter(({ size }) => size > 0);
  const [only = streams[0]] = given;
  if (only && given.length <= 1) return only;
  const [batch = 0, , width = 0] = only?.shape ?? [];
  const all = unwritten([batch, rowCount(given), width]);
  let first = 0;
  for (const stream of given) {
    writeRows(all, stream, first);
    first += stream.shape[1];
  }
  return all;
}
