/**
 * What a model is: the configuration that travels in a weight manifest. Types and validation only;
 * no defaults for a particular model live here, and no tensors.
 *
 * Letters used for shapes throughout the engine:
 * B batch, N tokens of the grid, NC context tokens, NT target tokens, L latent tokens, C width,
 * U codes (= V, the vocabulary), D code width, T×H×W frames × rows × columns, T'×H'×W' the token grid.
 */

import type { Trait } from './scene';

/** What a transformer block reads and writes; the four MeBT modes and the dense one. */
export const BLOCK_MODES = ['latent_enc', 'latent_self', 'latent_dec', 'lt2l', 'maskgit'] as const;
export type BlockMode = (typeof BLOCK_MODES)[number];

/** Extents along time, height, width. */
export type Extent3 = readonly [t: number, h: number, w: number];

export interface TransformerConfig {
  /** C, the width of every stream. */
  readonly width: number;
  readonly heads: number;
  /** L, the number of learned latent tokens (the bottleneck). */
  readonly latentTokens: number;
  /** V, the number of codes that can be predicted. */
  readonly vocabulary: number;
  /** Rows of the position embedding: the largest N the model can decode. */
  readonly positions: number;
  /** One mode a block, in order. */
  readonly modes: readonly BlockMode[];
  /** What it can be told of a clip; nothing when left out. */
  readonly traits?: readonly Trait[];
}

/** An autoregressive transformer (Eq. 2 of the paper): the baseline that MeBT is measured against. */
export interface AutoregressiveConfig {
  /** C */
  readonly width: number;
  readonly heads: number;
  /** V */
  readonly vocabulary: number;
  /** Rows of the position embedding: the largest N it can decode. */
  readonly positions: number;
  /** Number of causal self-attention blocks. */
  readonly blocks: number;
}

/** The autoregressive transformer of the same width and depth. */
export function autoregressiveOf({
  width,
  heads,
  vocabulary,
  positions,
  modes,
}: TransformerConfig): AutoregressiveConfig {
  return { width, heads, vocabulary, positions, blocks: modes.length };
}

/** The dense bidirectional transformer of the same width and depth: every token attends to every token. */
export function denseOf(config: TransformerConfig): TransformerConfig {
  return { ...config, modes: config.modes.map(() => 'maskgit' as const) };
}

/** One resolution of the decoder (up, then residual blocks) or encoder (down, then residual blocks). */
export interface StageConfig {
  readonly channels: number;
  readonly stride: Extent3;
  readonly residualBlocks: number;
}

export interface TokenizerConfig {
  /** U, the number of codes. */
  readonly codes: number;
  /** D, the width of a code. */
  readonly codeWidth: number;
  /**
   * `affine`: a scale and a bias per channel (a batch norm folded with its running statistics);
   * `group`: GroupNorm over 32 groups, eps 1e-6, statistics taken over the whole clip;
   * `none`: no norms, and no tensors for them.
   */
  readonly norm: 'none' | 'affine' | 'group';
  /** From the token grid to pixels. The product of strides is `downsample`. */
  readonly decoder: readonly StageConfig[];
  /** From pixels to the token grid; absent when the encoder was not exported. */
  readonly encoder?: readonly StageConfig[];
}

export interface ModelConfig {
  readonly transformer: TransformerConfig;
  readonly tokenizer: TokenizerConfig;
  /** T'×H'×W' of the longest clip. */
  readonly grid: Extent3;
  /** Frames per second of a finished clip. */
  readonly frameRate: number;
  /** Generation options that suit this model better than the general defaults. */
  readonly sampling: Readonly<Record<string, number | string>>;
}

/** Pixels (frames, rows, columns) that one token stands for: the product of the decoder's strides. */
export function downsampleOf(tokenizer: TokenizerConfig): Extent3 {
  return tokenizer.decoder.reduce<Extent3>(
    ([t, h, w], { stride }) => [t * stride[0], h * stride[1], w * stride[2]],
    [1, 1, 1],
  );
}

/** Frames of the longest clip that is offered: longer ones than the model's own are made window by window. */
const LONGEST_CLIP = 512;

/** Lengths of a model's clips, in frames. */
export interface ClipLengths {
  readonly framesPerLatent: number;
  /** What the model makes in one piece. */
  readonly ownFrames: number;
  /**
   * What it makes by continuing. As `ownFrames` where it cannot: one latent frame leaves no room for a context, and
   * group norms take their statistics over the whole clip, so that it would have to be decoded at once.
   */
  readonly mostFrames: number;
}

export function lengthsOf({ grid, tokenizer }: Pick<ModelConfig, 'grid' | 'tokenizer'>): ClipLengths {
  const framesPerLatent = downsampleOf(tokenizer)[0];
  const ownFrames = grid[0] * framesPerLatent;
  const continues = grid[0] > 1 && tokenizer.norm !== 'group';
  const mostFrames = Math.floor(LONGEST_CLIP / framesPerLatent) * framesPerLatent;
  return { framesPerLatent, ownFrames, mostFrames: continues ? Math.max(ownFrames, mostFrames) : ownFrames };
}
