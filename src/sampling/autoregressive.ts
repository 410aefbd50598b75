/** Autoregressive sampling: one token a step, each given all before it. Knows logits and tokens, no tensors. */
import { drawCodes, type Filter } from './filtering';
import type { Noise } from './random';

/** Logits [V] of the token at `position`, given the token before it; null at position 0. Called in order. */
export type PredictNext = (previous: number | null, position: number) => Promise<Float32Array>;

export interface NextToken {
  readonly position: number;
  readonly token: number;
  /** Its probability. */
  readonly score: number;
}

/**
 * Yields `count` tokens, each after one call of `predictNext`. The noise's step is the position.
 * @throws the signal's reason once aborted, looked at after each step
 */
export async function* sampleInOrder(
  predictNext: PredictNext,
  count: number,
  filter: Filter,
  noise: Noise,
  signal?: AbortSignal,
): AsyncGenerator<NextToken, void, undefined> {
  let previous: number | null = null;
  for (let position = 0; position < count; position++) {
    signal?.throwIfAborted();
    const logits = await predictNext(previous, position);
    signal?.throwIfAborted();
    const target = Int32Array.of(position);
    const { samples, scores } = drawCodes(logits, { batch: 1, target, filter, noise, step: position });
    const [token = 0] = samples;
    yield { position, token, score: scores[0] ?? 0 };
    previous = token;
  }
}
