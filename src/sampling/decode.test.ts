// Plans of MaskGIT decoding, the choice of context, Gibbs masks and the sliding window.
import { describe, expect, it } from 'vitest';
import { type DecodeOptions, planDecode } from './decode';
import { extrapolate } from './extrapolate';
import { chooseContext } from './masking';
import { CounterNoise } from './random';
import { draftMasks, reviseMasks } from './revise';
import { maskedCount } from './schedules';
import { predictFromLogits } from './steps';

const options: DecodeOptions = {
  steps: 8,
  schedule: 'cosine',
  strategy: 'maskgit',
  temperature: 1,
  choiceTemperature: 4,
  choiceSchedule: 'linear',
  edit: false,
};

describe('maskedCount', () => {
  it('is computed in float32: nothing is left at the end, half exactly at two thirds', () => {
    expect(maskedCount('cosine', 1, 1024)).toBe(0);
    expect(maskedCount('cosine', 2 / 3, 1024)).toBe(512);
  });
});

describe('planDecode', () => {
  it('leaves out the steps that would mask more than there is', () => {
    const plan = planDecode(options, 64, 48, 16);
    expect(plan.length).toBeLessThan(8);
    expect(plan.every((step) => step.masked <= step.targets)).toBe(true);
    expect(plan[0]?.targets).toBe(16);
  });

  it('counts the targets alone when editing, so that no step is left out', () => {
    expect(planDecode({ ...options, edit: true }, 64, 48, 16).length).toBe(8);
  });

  it('draws what it keeps where the order is given, else every target', () => {
    const drawn = (strategy: 'given' | 'maskgit') =>
      planDecode({ ...options, strategy }, 64, 0, 64).map((step) => step.drawn);
    const kept = planDecode(options, 64, 0, 64).map(({ targets, masked }) => targets - masked);
    expect(drawn('given')).toEqual(kept.filter((count) => count > 0));
    expect(drawn('maskgit')[0]).toBe(64);
  });

  it('ends without noise on the confidence', () => {
    expect(planDecode(options, 64, 0, 64).at(-1)).toMatchObject({ masked: 0, choiceTemperature: 0 });
  });
});

describe('chooseContext', () => {
  const sets = { context: Int32Array.of(9), target: Int32Array.of(4, 2, 7, 0) };
  const scores = Float32Array.of(0.1, 0.9, 0.5, 0.9);
  const choose = (masked: number, choiceTemperature: number) =>
    chooseContext(
      sets,
      scores,
      1,
      { strategy: 'maskgit', masked, choiceTemperature, step: 0 },
      new CounterNoise(1),
    );

  it('moves the most confident behind the context, equal ones in their order', () => {
    expect(choose(2, 0)).toEqual({ context: Int32Array.of(9, 2, 0), target: Int32Array.of(7, 4) });
  });

  it('changes nothing, not even the order, when as many stay masked', () => {
    expect(choose(4, 0)).toEqual(sets);
  });

  it('stays finite where a probability has underflown', () => {
    const next = chooseContext(
      sets,
      Float32Array.of(0, 0, 0, 1e-40),
      1,
      { strategy: 'maskgit', masked: 3, choiceTemperature: 30, step: 0 },
      new CounterNoise(1),
    );
    expect(next.context.length + next.target.length).toBe(5);
  });
});

describe('Gibbs masks', () => {
  const sets = { context: Int32Array.of(9), target: Int32Array.of(0, 1, 2, 3, 4) };
  const permutation = Int32Array.of(4, 2, 0, 1, 3);

  it('a draft grows its context block by block, nearly equal ones where they do not divide', () => {
    const masks = draftMasks(sets, 1, permutation, 2);
    expect(masks.map(({ context }) => Array.from(context))).toEqual([[9], [9, 4, 2]]);
    expect(masks.map(({ target }) => Array.from(target))).toEqual([
      [4, 2, 0, 1, 3],
      [0, 1, 3],
    ]);
  });

  it('a revision is given the later blocks, then the earlier ones', () => {
    const masks = reviseMasks(sets, 1, permutation, 3);
    expect(masks.map(({ target }) => Array.from(target))).toEqual([[4], [2, 0], [1, 3]]);
    expect(masks.map(({ context }) => Array.from(context))).toEqual([
      [9, 2, 0, 1, 3],
      [9, 1, 3, 4],
      [9, 4, 2, 0],
    ]);
  });

  it('refuses more steps than targets', () => {
    expect(() => draftMasks(sets, 1, permutation, 6)).toThrow('6 steps for 5 targets');
  });
});

describe('extrapolate', () => {
  it('keeps the given frames and ends at the length asked for', async () => {
    const predict = predictFromLogits(async function* ({ target }) {
      yield { first: 0, count: target.length, logits: new Float32Array(target.length * 5) };
    });
    const codes = Int32Array.of(1, 2, 3, 4, 4, 3);
    const run = extrapolate(
      codes,
      1,
      { window: 3, context: 1, total: 6, tokensPerFrame: 2, decode: options },
      { predict, noise: new CounterNoise(3) },
    );
    let result = await run.next();
    const indices: number[] = [];
    for (; !result.done; result = await run.next()) indices.push(result.value.index);
    expect(result.value.length).toBe(12);
    expect(result.value.slice(0, 6)).toEqual(codes);
    expect(indices).toEqual(indices.map((_, i) => i));
  });
});
