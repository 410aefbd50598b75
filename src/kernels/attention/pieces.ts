/**
 * Attention of a few queries to keys and values that are made piece by piece, so that they are never there all at once.
 * Picks the implementation for the current backend; without queries' own masks.
 */
import * as tf from '@tensorflow/tfjs-core';
import { attention } from './index';
import { attentionReference } from './reference';
import { attentionInPiecesOnWasm } from './wasmPieces';
import { attentionInPiecesOnWebGpu } from './webgpu';

/** Keys and values of some positions. */
export interface KeyPiece {
  /** Positions. */
  readonly count: number;
  /** In the place of how many such keys each of them is, from above 0 on; 1 when left out. */
  readonly weight?: number;
  /** Both [B, count, C]; freed by who asks, in a tidy. */
  readonly make: () => { readonly key: tf.Tensor3D; readonly value: tf.Tensor3D };
}

/**
 * query [B, NQ, C] -> [B, NQ, C]: what `attention` gives over the keys and values of all pieces, one after the other, each
 * as often as its piece's weight says; of a single piece to the bit, of more to a few units in the last place. Zero where
 * there are none.
 */
export function attentionInPieces(
  query: tf.Tensor3D,
  pieces: readonly KeyPiece[],
  heads: number,
): tf.Tensor3D {
  const given = pieces.filter(({ count }) => count > 0);
  const [only] = given;
  if (!only || query.size === 0) return tf.zeros(query.shape);
  return tf.tidy(() => {
    if (given.length === 1) {
      const { key, value } = only.make();
      return attention(query, key, value, heads);
    }
    const backend = tf.getBackend();
    if (backend === 'wasm') return attentionInPiecesOnWasm(query, given, heads);
    const served = backend === 'webgpu' ? attentionInPiecesOnWebGpu(query, given, heads) : undefined;
    return served ?? attentionToAll(query, given, heads);
  });
}

/** All keys at once: the oracle, and what is left where there is no kernel. */
export function attentionToAll(query: tf.Tensor3D, pieces: readonly KeyPiece[], heads: number): tf.Tensor3D {
  return tf.tidy(() => {
    const made = pieces.map(({ make }) => make());
    const key = tf.concat(
      made.map((piece) => piece.key),
      1,
    );
    const value = tf.concat(
      made.map((piece) => piece.value),
      1,
    );
    const weights = pieces.flatMap(({ count, weight = 1 }) => new Array<number>(count).fill(weight));
    return attentionReference(query, key, value, heads, {}, weights);
  });
}
