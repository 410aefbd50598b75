// The samplers' front door on a toy model: counts, order of phases, reproducibility, abort, given tokens.
import { describe, expect, it } from 'vitest';
import type { GenerationOptions } from '../config/generation';
import type { Extent3 } from '../config/model';
import { countSteps, type GenerationStep, type KnownTokens, sampleTokens } from './generate';
import { CounterNoise } from './random';
import { spreadTurns } from './spread';
import { type PassFilter, type Predict, predictFromLogits } from './steps';

const V = 12;
const grid: Extent3 = [2, 4, 4];
const N = 32;
const options: GenerationOptions = {
  seed: 1,
  frames: 8,
  steps: 6,
  bootstrap: 3,
  temperature: 1,
  choiceTemperature: 4,
  topK: 0,
  topP: 1,
  topPFrom: 0,
  guidance: 0,
  guidanceFrom: 0,
  schedule: 'cosine',
  order: 'confidence',
  targets: 0,
  scene: '',
  revisePasses: 2,
  reviseSteps: 3,
  reviseTemperature: 0.7,
};

interface Call {
  context: number[];
  target: number[];
  masked: number[];
  standsFor: number;
  tokens: Int32Array;
}

/** Prefers the code (position + number of context tokens) mod V, mildly. */
function toyModel(calls: Call[] = []): Predict {
  const predict = predictFromLogits(async function* ({ context, target }) {
    const logits = new Float32Array(target.length * V);
    for (const [row, position] of target.entries()) logits[row * V + ((position + context.length) % V)] = 2;
    yield { first: 0, count: target.length, logits };
  });
  return (request) => {
    const { tokens, context, target, masked = new Int32Array(0), standsFor = 1 } = request;
    calls.push({
      context: Array.from(context),
      target: Array.from(target),
      masked: Array.from(masked),
      standsFor,
      tokens: tokens.slice(),
    });
    return predict(request);
  };
}

/** How the codes of each pass are drawn, and how many tokens it knows. */
async function filtersOf(given: GenerationOptions): Promise<{ known: number; filter: PassFilter }[]> {
  const passes: { known: number; filter: PassFilter }[] = [];
  const toy = toyModel();
  const predict: Predict = (request) => {
    passes.push({ known: request.context.length, filter: request.filter });
    return toy(request);
  };
  for await (const _ of sampleTokens({ options: given, grid, predict }));
  return passes;
}

async function collect(
  given: Partial<GenerationOptions> = {},
  extra: { known?: KnownTokens; calls?: Call[] } = {},
) {
  const steps: GenerationStep[] = [];
  const request = {
    options: { ...options, ...given },
    grid,
    predict: toyModel(extra.calls),
    known: extra.known,
  };
  for await (const step of sampleTokens(request)) steps.push(step);
  return steps;
}

describe('sampleTokens', () => {
  it('makes no step that keeps nothing, where the order is spread', async () => {
    const calls: Call[] = [];
    await collect(
      { order: 'spread', schedule: 'quartic', steps: 8, bootstrap: 0, revisePasses: 0 },
      { calls },
    );
    expect(calls.map(({ context }) => context.length)).toEqual([0, 2, 4, 10, 18]);
    const count = (order: 'spread' | 'confidence') =>
      countSteps({ options: { ...options, order, schedule: 'quartic', steps: 8, bootstrap: 0 }, grid });
    expect(count('confidence') - count('spread')).toBe(3);
  });

  it('keeps the tokens whose turn it is, where the order is spread', async () => {
    const turns = spreadTurns(grid, new CounterNoise(options.seed));
    const calls: Call[] = [];
    await collect({ order: 'spread', bootstrap: 0, revisePasses: 0 }, { calls });
    for (const { context } of calls) {
      expect(context.map((position) => turns[position])).toEqual(context.map((_, i) => i));
    }
    expect(calls.at(-1)?.context.length).toBeGreaterThan(N / 2);
    // Only what stays is asked for, once; the model is told of all that is masked.
    expect(calls.flatMap(({ target }) => target.map((position) => turns[position]))).toEqual(
      Array.from({ length: N }, (_, i) => i),
    );
    for (const { context, target, masked } of calls) {
      expect(new Set([...context, ...target, ...masked]).size).toBe(N);
    }
    const warm: Call[] = [];
    await collect({ order: 'spread', bootstrap: 0, revisePasses: 0, choiceTemperature: 30 }, { calls: warm });
    expect(warm).toEqual(calls);
  });

  it('draws from all codes until the share is known from which top-p holds', async () => {
    const given = { ...options, order: 'spread', steps: 8, bootstrap: 2, topP: 0.9, topPFrom: 0.25 } as const;
    const mass = (await filtersOf(given)).map(({ known, filter }) => [known, filter.topP] as const);
    const [drafted, revised] = [mass.slice(2, -options.reviseSteps), mass.slice(-options.reviseSteps)];
    expect(mass.slice(0, 2).map(([, topP]) => topP)).toEqual([undefined, undefined]);
    const expected = drafted.map(([known]) => (known < 0.25 * N ? 1 : 0.9));
    expect(drafted.map(([, topP]) => topP)).toEqual(expected);
    expect(new Set(expected).size).toBe(2);
    expect(revised.map(([, topP]) => topP)).toEqual(options.revisePasses > 0 ? [0.9, 0.9, 0.9] : []);
  });

  it('guides from the share on that is known, and revisions, and no single token', async () => {
    const short = { ...options, steps: 8, bootstrap: 2, revisePasses: 1 };
    const given = { ...short, order: 'spread', guidance: 0.7, guidanceFrom: 0.25 } as const;
    const weights = (await filtersOf(given)).map(({ known, filter }) => [known, filter.guidance] as const);
    const [drafted, revised] = [weights.slice(2, -options.reviseSteps), weights.slice(-options.reviseSteps)];
    expect(weights.slice(0, 2).map(([, weight]) => weight)).toEqual([undefined, undefined]);
    const expected = drafted.map(([known]) => (known < 0.25 * N ? 0 : 0.7));
    expect(drafted.map(([, weight]) => weight)).toEqual(expected);
    expect(new Set(expected).size).toBe(2);
    expect(revised.map(([, weight]) => weight)).toEqual([0.7, 0.7, 0.7]);
  });

  it('has a part of the masked tokens read, the next ones, in the place of all', async () => {
    const turns = spreadTurns(grid, new CounterNoise(options.seed));
    const calls: Call[] = [];
    const given = { order: 'spread', bootstrap: 0, targets: 6 } as const;
    await collect(given, { calls });
    const drafted = calls.slice(0, -options.revisePasses * options.reviseSteps);
    expect(drafted.some(({ target }) => target.length < 6)).toBe(true);
    expect(drafted.some(({ target }) => target.length > 6)).toBe(true);
    for (const { context, target, masked, standsFor } of drafted) {
      const left = N - context.length;
      const read = Math.min(left, Math.max(target.length, 6));
      const places = [...target, ...masked].map((position) => turns[position]);
      expect(places).toEqual(Array.from({ length: read }, (_, i) => context.length + i));
      expect(standsFor).toBe(left / read);
    }
    expect(calls.at(-1)).toMatchObject({ masked: [], standsFor: 1 });
    // What is drawn, and when, is as without.
    const whole: Call[] = [];
    await collect({ ...given, targets: 0 }, { calls: whole });
    expect(whole.map(({ target }) => target)).toEqual(calls.map(({ target }) => target));
    const few: Call[] = [];
    await collect({ ...given, order: 'confidence' }, { calls: few });
    expect(few.every(({ standsFor }) => standsFor === 1)).toBe(true);
  });

  it('announces from the first step how many there will be', async () => {
    for (const given of [
      {},
      { bootstrap: 0 },
      { steps: 64, bootstrap: 40 },
      { revisePasses: 0 },
      { reviseSteps: 5 },
    ]) {
      const steps = await collect(given);
      expect(new Set(steps.map((step) => step.steps))).toEqual(new Set([steps.length]));
      expect(steps.map((step) => step.step)).toEqual(steps.map((_, i) => i + 1));
      expect(countSteps({ options: { ...options, ...given }, grid })).toBe(steps.length);
    }
  });

  it('goes through bootstrap, draft and revise in this order', async () => {
    const phases = (await collect()).map((step) => step.phase);
    expect(phases.join(' ')).toMatch(/^(bootstrap ){3}(draft )+(revise ?){6}$/);
  });

  it('fixes one token a bootstrap step, more and more in the draft, all at the end', async () => {
    const steps = await collect();
    const fixed = steps.map((step) => step.fixed.reduce((sum, flag) => sum + flag, 0));
    expect(fixed.slice(0, 3)).toEqual([1, 2, 3]);
    const draft = fixed.filter((_, i) => steps[i]?.phase === 'draft').slice(0, -1);
    expect(draft).toEqual([...draft].sort((a, b) => a - b));
    expect(fixed.at(-1)).toBe(N);
  });

  it('tells with `fixed` what the next step is given, and hands its tokens over unchanged', async () => {
    const calls: Call[] = [];
    const steps = await collect({}, { calls });
    for (const [i, step] of steps.slice(0, -1).entries()) {
      const given = calls[i + 1];
      const known = Array.from(step.fixed.keys()).filter((position) => step.fixed[position] === 1);
      expect([...(given?.context ?? [])].sort((a, b) => a - b)).toEqual(known);
      expect(known.map((position) => given?.tokens[position])).toEqual(
        known.map((position) => step.tokens[position]),
      );
    }
  });

  it('each revision sweep predicts every token once, the others given', async () => {
    const calls: Call[] = [];
    await collect({ bootstrap: 0 }, { calls });
    const sweep = calls.slice(-3);
    expect(sweep.flatMap((call) => call.target).sort((a, b) => a - b)).toEqual(
      Array.from({ length: N }, (_, i) => i),
    );
    for (const call of sweep) expect(call.context.length + call.target.length).toBe(N);
  });

  it('repeats a seed exactly and changes with it', async () => {
    const [a, b, c] = [await collect(), await collect(), await collect({ seed: 2 })];
    expect(a.map((step) => step.tokens)).toEqual(b.map((step) => step.tokens));
    expect(a.at(-1)?.tokens).not.toEqual(c.at(-1)?.tokens);
  });

  it('keeps given tokens through draft and revision', async () => {
    const known = {
      tokens: new Int32Array(N).fill(7),
      fixed: Uint8Array.from({ length: N }, (_, i) => (i < 20 ? 1 : 0)),
    };
    const steps = await collect({}, { known });
    for (const { tokens } of steps) expect(tokens.slice(0, 20)).toEqual(known.tokens.slice(0, 20));
    expect(steps.at(-1)?.fixed).toEqual(new Uint8Array(N).fill(1));
  });

  it('needs no step when everything is given', async () => {
    const known = { tokens: new Int32Array(N), fixed: new Uint8Array(N).fill(1) };
    expect(await collect({}, { known })).toEqual([]);
  });

  it('stops at the step under way when aborted', async () => {
    const abort = new AbortController();
    const calls: Call[] = [];
    const run = sampleTokens({ options, grid, predict: toyModel(calls), signal: abort.signal });
    await run.next();
    abort.abort(new Error('enough'));
    await expect(run.next()).rejects.toThrow('enough');
    expect(calls.length).toBe(1);
  });

  it('does not write into a grid that it has given out', async () => {
    const steps = await collect();
    const [first, second] = steps;
    expect(first?.tokens).not.toBe(second?.tokens);
  });

  it('refuses known tokens of another grid', async () => {
    const known = { tokens: new Int32Array(5), fixed: new Uint8Array(5) };
    await expect(collect({}, { known })).rejects.toThrow('grid of 32 tokens');
  });
});
