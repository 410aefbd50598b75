/**
 * How large each case is on each kind of machine. `full` is the case itself; a software adapter gets less of the same
 * architecture, so that a run ends, and its rows say so: ratios then count, milliseconds do not.
 */
import type * as tf from '@tensorflow/tfjs-core';
import type { Extent3 } from '../src/config/model';
import { randomWeight } from '../src/model/initialization';
import { type BenchModel, type HostTensor, uploaded } from './weights';

export interface Size {
  readonly name: 'full' | 'software' | 'quick';
  /** What is left of the tokens. */
  readonly tokens: number;
  /** Rows and columns of the token grid that is decoded. */
  readonly rows: number;
  /** Latent frames are divided by this. */
  readonly frames: number;
  /** Which blocks of the stored model are left, in order; all of them when left out. */
  readonly blocks?: readonly number[];
  /** What is left of the latent tokens. */
  readonly latentTokens: number;
}

export const SIZES = {
  full: { name: 'full', tokens: 1, rows: 16, frames: 1, latentTokens: 1 },
  /** An eighth of the tokens and of the latent tokens, half of the blocks, the same width. */
  software: {
    name: 'software',
    tokens: 1 / 8,
    rows: 4,
    frames: 1,
    blocks: [0, 1, 6, 7, 8, 9],
    latentTokens: 1 / 8,
  },
  /** Seconds in all: to see that the bench works, not to measure. */
  quick: { name: 'quick', tokens: 1 / 64, rows: 1, frames: 8, blocks: [0, 1, 7, 8], latentTokens: 1 / 16 },
} as const satisfies Record<string, Size>;

/** The stored weights, with fewer parts or more positions than they have; new position embeddings are random. */
export function modelOfSize(stored: BenchModel, size: Size, positions: number): BenchModel {
  const { config, name } = stored;
  const latentTokens = config.transformer.latentTokens * size.latentTokens;
  const kept = size.blocks ?? config.transformer.modes.map((_, i) => i);
  const modes = kept.map((block) => config.transformer.modes[block] ?? 'maskgit');
  const longest = Math.max(positions, config.transformer.positions);
  const overrides = new Map<string, HostTensor>();
  if (latentTokens < config.transformer.latentTokens) {
    const all = stored.host(LATENT_TOKENS);
    const shape = [latentTokens, config.transformer.width];
    overrides.set(LATENT_TOKENS, { shape, data: all.data.slice(0, latentTokens * config.transformer.width) });
  }
  if (longest > config.transformer.positions) {
    const shape = [longest, config.transformer.width];
    overrides.set(POSITIONS, { shape, data: randomWeight({ name: POSITIONS, shape }, 1) });
  }
  const parts = [
    ...(kept.length < config.transformer.modes.length ? [`${kept.length} blocks`] : []),
    ...(overrides.has(LATENT_TOKENS) ? [`${latentTokens} latent tokens`] : []),
    ...(overrides.has(POSITIONS) ? [`${longest} random position embeddings`] : []),
  ];
  const rename = (weight: string): string =>
    weight.replace(
      /^(transformer\.blocks\.)(\d+)/,
      (_, head: string, block: string) => head + kept[Number(block)],
    );
  return {
    name: parts.length > 0 ? `${name} with ${parts.join(', ')}` : name,
    ...(stored.manifest ? { manifest: stored.manifest } : {}),
    names: stored.names.flatMap((weight) => {
      const [, head, block, tail] = /^(transformer\.blocks\.)(\d+)(\..*)/.exec(weight) ?? [];
      if (block === undefined) return [weight];
      const place = kept.indexOf(Number(block));
      return place < 0 ? [] : [`${head}${place}${tail}`];
    }),
    config: { ...config, transformer: { ...config.transformer, latentTokens, modes, positions: longest } },
    host: (weight) => overrides.get(weight) ?? stored.host(rename(weight)),
    reader: () => {
      const read = stored.reader();
      return {
        tensor: (weight, shape) => {
          const replaced = overrides.get(weight);
          return replaced ? uploaded(replaced) : read.tensor(rename(weight), shape);
        },
        matrix: (weight, shape) => {
          const replaced = overrides.get(weight);
          return replaced ? (uploaded(replaced) as tf.Tensor2D) : read.matrix(rename(weight), shape);
        },
      };
    },
  };
}

const LATENT_TOKENS = 'transformer.latentTokens';
const POSITIONS = 'transformer.positionEmbedding';

/** The token grid of a decode of so many frames, `framesPerLatent` of which come from one latent frame. */
export function gridOf(size: Size, frames: number, framesPerLatent: number): Extent3 {
  return [Math.max(1, Math.round(frames / framesPerLatent / size.frames)), size.rows, size.rows];
}
