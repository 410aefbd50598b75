/**
 * The networks that are measured: the stored model, parts of it, the same architecture at a small width and at the
 * paper's size. Rows say in words which it was.
 */
import type * as tf from '@tensorflow/tfjs-core';
import type { BlockMode, ModelConfig } from '../src/config/model';
import { randomWeight } from '../src/model/initialization';
import { type BenchModel, type HostTensor, uploaded } from './weights';

/** What is left of the stored model. */
export interface Part {
  /** Blocks, in order; all of them when left out. */
  readonly blocks?: readonly number[];
  /** Share of the latent tokens; 1 when left out. */
  readonly latentTokens?: number;
}

export const WHOLE: Part = {};
/** Of the probes, which end in seconds on any adapter: half of the blocks, an eighth of the latent tokens, all the width. */
export const PROBE: Part = { blocks: [0, 1, 6, 7, 8, 9], latentTokens: 1 / 8 };
/** Of `--quick`. */
export const QUICK: Part = { blocks: [0, 1, 7, 8], latentTokens: 1 / 16 };

const pairs = (count: number, ...modes: BlockMode[]): BlockMode[] =>
  Array.from({ length: count }, () => modes).flat();

/**
 * A width that software adapters and plain JavaScript can run at the real numbers of tokens, where the model that ships
 * would take minutes a pass. As many channels a head as that model has.
 */
export const NARROW: ModelConfig = {
  transformer: {
    width: 64,
    heads: 2,
    latentTokens: 32,
    vocabulary: 256,
    positions: 8192,
    modes: ['latent_enc', 'latent_dec', 'lt2l', 'latent_dec'],
  },
  tokenizer: {
    codes: 256,
    codeWidth: 8,
    norm: 'none',
    decoder: [
      { channels: 8, stride: [2, 1, 1], residualBlocks: 0 },
      { channels: 8, stride: [2, 2, 2], residualBlocks: 0 },
      { channels: 4, stride: [2, 2, 2], residualBlocks: 0 },
    ],
  },
  grid: [8, 16, 16],
  frameRate: 16,
  sampling: { steps: 8 },
};

/** The paper's transformer for 128 frames of 128×128 pixels: 24 blocks of width 1,024, 344.5 M weights. */
export const OFFICIAL: ModelConfig = {
  ...NARROW,
  transformer: {
    width: 1024,
    heads: 16,
    latentTokens: 256,
    vocabulary: 16384,
    positions: 8192,
    modes: [
      ...pairs(6, 'latent_enc', 'latent_self'),
      'latent_enc',
      ...pairs(5, 'latent_dec', 'lt2l'),
      'latent_dec',
    ],
  },
};

/** The same for `--quick`, tiny. */
export const QUICK_OFFICIAL: ModelConfig = {
  ...OFFICIAL,
  transformer: { ...NARROW.transformer, positions: 128, modes: OFFICIAL.transformer.modes.slice(-3) },
};

/** The stored weights, with fewer parts or more positions than they have; new position embeddings are random. */
export function partOf(stored: BenchModel, part: Part, positions = 0): BenchModel {
  const { config, name } = stored;
  const latentTokens = config.transformer.latentTokens * (part.latentTokens ?? 1);
  const kept = part.blocks ?? config.transformer.modes.map((_, i) => i);
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
