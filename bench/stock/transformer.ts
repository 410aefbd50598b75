/**
 * The transformer's forward pass as one writes it with tfjs alone: the plain-tf references of our kernels on whatever
 * backend is current, float32 weights, every intermediate a tensor. What our kernels are measured against.
 */
import * as tf from '@tensorflow/tfjs-core';
import type { BlockMode } from '../../src/config/model';
import { attentionReference } from '../../src/kernels/attention/reference';
import { LAYER_NORM_EPSILON } from '../../src/kernels/layerNorm';
import { layerNormReference } from '../../src/kernels/layerNorm/reference';
import { linearReference } from '../../src/kernels/linear/reference';
import type { TokenSets } from '../../src/model/transformer';
import type { BenchModel } from '../weights';
import { uploadAll } from './weights';

export interface StockTransformer {
  /** Logits [1, NT, V]. */
  readonly forward: (sets: TokenSets) => tf.Tensor3D;
  readonly dispose: () => void;
}

interface Streams {
  readonly latents: tf.Tensor3D;
  readonly contexts: tf.Tensor3D;
  readonly targets: tf.Tensor3D;
}

export function stockTransformer(model: BenchModel): StockTransformer {
  const { modes, heads } = model.config.transformer;
  const { weights, weight } = uploadAll(model, 'transformer.');
  const norm = (x: tf.Tensor3D, name: string): tf.Tensor3D =>
    layerNormReference(x, weight(`${name}.scale`), weight(`${name}.bias`), LAYER_NORM_EPSILON) as tf.Tensor3D;
  const layer = (x: tf.Tensor3D, name: string, options: Parameters<typeof linearReference>[2] = {}) =>
    linearReference(
      x,
      { weight: weight<tf.Tensor2D>(`${name}.weight`), bias: weight<tf.Tensor1D>(`${name}.bias`) },
      options,
    ) as tf.Tensor3D;

  const attend = (name: string, query: tf.Tensor3D, others: tf.Tensor3D[], queryIsKey: boolean) => {
    const normalQuery = norm(query, `${name}.norm1`);
    const keys = others.map((x) => norm(x, `${name}.norm1`));
    if (queryIsKey) keys.unshift(normalQuery);
    const [first = normalQuery] = keys;
    const key = keys.length > 1 ? (tf.concat(keys, 1) as tf.Tensor3D) : first; // [1, NK, C]
    const [q, k, v] = [
      layer(normalQuery, `${name}.query`),
      layer(key, `${name}.key`),
      layer(key, `${name}.value`),
    ];
    const mixed = attentionReference(q, k, v, heads);
    const sum = layer(mixed, `${name}.projection`, { residual: normalQuery });
    const hidden = layer(norm(sum, `${name}.norm2`), `${name}.expand`, { activation: 'gelu' });
    return layer(hidden, `${name}.contract`, { residual: sum });
  };

  const block = (mode: BlockMode, name: string, streams: Streams): Streams => {
    const { latents, contexts, targets } = streams;
    switch (mode) {
      case 'latent_self':
        return { ...streams, latents: attend(name, latents, [], true) };
      case 'latent_enc':
        return { ...streams, latents: attend(name, latents, [contexts], false) };
      case 'lt2l':
        return { ...streams, latents: attend(name, latents, [targets], true) };
      case 'latent_dec':
        return { ...streams, targets: attend(name, targets, [latents], false) };
      case 'maskgit': {
        const count = contexts.shape[1];
        const next = attend(name, tf.concat([contexts, targets], 1) as tf.Tensor3D, [], true);
        return {
          latents,
          contexts: tf.slice(next, [0, 0, 0], [-1, count, -1]),
          targets: tf.slice(next, [0, count, 0], [-1, -1, -1]),
        };
      }
    }
  };

  /** Frees what a block leaves behind: only its streams live on. */
  const tidied = (run: () => Streams): Streams =>
    tf.tidy(() => run() as unknown as Record<string, tf.Tensor3D>) as unknown as Streams;

  const embed = ({ tokens, context, target }: TokenSets): Streams => {
    const positions = weight<tf.Tensor2D>('positionEmbedding');
    const rows = (table: tf.Tensor2D, indices: Int32Array): tf.Tensor2D =>
      tf.gather(table, tf.tensor1d(indices, 'int32'));
    const codes = context.map((position) => tokens[position] ?? 0);
    const mask = tf.reshape(weight<tf.Tensor1D>('maskEmbedding'), [1, -1]);
    return {
      latents: tf.expandDims(weight<tf.Tensor2D>('latentTokens'), 0) as tf.Tensor3D,
      contexts: tf.expandDims(
        tf.add(rows(weight<tf.Tensor2D>('tokenEmbedding'), codes), rows(positions, context)),
        0,
      ) as tf.Tensor3D,
      targets: tf.expandDims(tf.add(rows(positions, target), mask), 0) as tf.Tensor3D,
    };
  };

  return {
    forward: (sets) =>
      tf.tidy(() => {
        let streams = tidied(() => embed(sets));
        modes.forEach((mode, i) => {
          const next = tidied(() => block(mode, `blocks.${i}`, streams));
          for (const key of ['latents', 'contexts', 'targets'] as const) {
            if (next[key] !== streams[key]) streams[key].dispose();
          }
          streams = next;
        });
        const normal = norm(streams.targets, 'finalNorm');
        return linearReference(normal, { weight: weight<tf.Tensor2D>('head.weight') }) as tf.Tensor3D;
      }),
    dispose: () => tf.dispose(weights),
  };
}
