/**
 * Where an order of sampling is given, only some of the masked tokens are asked for (src/sampling/decode.ts). Contenders
 * that predict all of them, and comparisons that look at all of them, ask so.
 */
import type { Draws } from '../src/sampling/filtering';
import type { GridState } from '../src/sampling/steps';

/** The state in which every masked position is a target, behind those that were. Of one clip. */
export function askedForAll<State extends GridState>({ masked, ...state }: State): Omit<State, 'masked'> {
  return masked ? { ...state, target: Int32Array.of(...state.target, ...masked) } : state;
}

/** What was drawn for the first `count` targets. */
export function firstDraws({ samples, scores }: Draws, count: number): Draws {
  return { samples: samples.slice(0, count), scores: scores.slice(0, count) };
}
