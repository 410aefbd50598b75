/** Longer clips than the model can hold: a window slides over time, each time with the newest frames as context. */
import { type DecodeOptions, decode } from './decode';
import type { GridState, SamplerContext, SamplingStep } from './steps';

export interface ExtrapolateOptions {
  /** Latent frames of one window: what the model is given at once. */
  readonly window: number;
  /** Latent frames at its start that are known. */
  readonly context: number;
  /** Latent frames of the finished clip. */
  readonly total: number;
  /** Tokens of one latent frame, H'·W'. */
  readonly tokensPerFrame: number;
  /** How each window is decoded; `edit` is implied. */
  readonly decode: Omit<DecodeOptions, 'edit'>;
}

/**
 * Continues `codes` [B, T0·H'·W'] to `total` latent frames. Yields the steps of each window (their positions are
 * the window's own) and returns the whole clip's codes [B, total·H'·W'].
 */
export async function* extrapolate(
  codes: Int32Array,
  batch: number,
  options: ExtrapolateOptions,
  sampler: SamplerContext,
): AsyncGenerator<SamplingStep, Int32Array<ArrayBuffer>, undefined> {
  const { window, context, total, tokensPerFrame } = options;
  if (!(context > 0 && context < window)) {
    throw new Error(
      `Extrapolate: ${context} context frames of a window of ${window}; give 1 to ${window - 1}.`,
    );
  }
  const known = context * tokensPerFrame;
  const size = window * tokensPerFrame;
  const wanted = total * tokensPerFrame;
  const clips = Array.from({ length: batch }, (_, sample) => {
    const length = codes.length / batch;
    return Array.from(codes.subarray(sample * length, (sample + 1) * length));
  });
  let index = sampler.firstStep ?? 0;
  while ((clips[0]?.length ?? wanted) < wanted) {
    const run = decode(
      windowAfter(clips, known, size),
      { ...options.decode, edit: true },
      { ...sampler, firstStep: index },
    );
    let result = await run.next();
    for (; !result.done; result = await run.next()) {
      index = result.value.index + 1;
      yield result.value;
    }
    const { tokens } = result.value;
    for (const [sample, clip] of clips.entries()) {
      clip.push(...tokens.subarray(sample * size + known, (sample + 1) * size));
    }
  }
  return Int32Array.from(clips.flatMap((clip) => clip.slice(0, wanted)));
}

/** The next window: the newest `known` tokens of each clip, the rest of `size` to predict. */
function windowAfter(clips: readonly (readonly number[])[], known: number, size: number): GridState {
  const batch = clips.length;
  const tokens = new Int32Array(batch * size);
  for (const [sample, clip] of clips.entries()) {
    if (clip.length < known) {
      throw new Error(`Extrapolate: the clip has ${clip.length} tokens, but the context needs ${known}.`);
    }
    tokens.set(clip.slice(-known), sample * size);
  }
  return {
    batch,
    tokens,
    context: Int32Array.from({ length: batch * known }, (_, i) => i % known),
    target: Int32Array.from({ length: batch * (size - known) }, (_, i) => known + (i % (size - known))),
  };
}
