// Clips longer than the model, on a toy model: windows, what they are given, what is told of them.
import { describe, expect, it } from 'vitest';
import type { GenerationOptions } from '../config/generation';
import type { Extent3 } from '../config/model';
import { type GenerationStep, sampleTokens } from './generate';
import { type Predict, predictFromLogits } from './steps';
import { countClipSteps, planWindows, sampleClip, type Window } from './windows';

const V = 12;
const AREA = 4;
const options: GenerationOptions = {
  seed: 1,
  frames: 0,
  steps: 5,
  bootstrap: 2,
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
  revisePasses: 1,
  reviseSteps: 2,
  reviseTemperature: 0.7,
};

interface Call {
  readonly context: number[];
  readonly target: number[];
  readonly tokens: number[];
}

/** Every code equally likely: what is drawn shows the noise alone. */
function toyModel(calls: Call[]): Predict {
  return predictFromLogits(async function* ({ tokens, context, target }) {
    calls.push({ context: [...context], target: [...target], tokens: [...tokens] });
    yield { first: 0, count: target.length, logits: new Float32Array(target.length * V) };
  });
}

async function collect(total: number, longest: number, calls: Call[] = []) {
  const grid: Extent3 = [total, 2, 2];
  const steps: GenerationStep[] = [];
  for await (const step of sampleClip({ options, grid, longest, predictIn: () => toyModel(calls) }))
    steps.push(step);
  return steps;
}

describe('planWindows', () => {
  it('covers every length without a gap, with full windows that know half, the last one more', () => {
    for (let longest = 2; longest <= 9; longest++) {
      for (let total = 1; total <= 40; total++) {
        const windows = planWindows(total, longest);
        let end = 0;
        for (const { first, length, known } of windows) {
          expect(first + known).toBe(end);
          expect(length).toBe(Math.min(total, longest));
          if (end > 0) expect(known).toBeGreaterThanOrEqual(Math.floor(longest / 2));
          end = first + length;
        }
        expect(end).toBe(total);
      }
    }
    expect(planWindows(20, 8)).toEqual([
      { first: 0, length: 8, known: 0 },
      { first: 4, length: 8, known: 4 },
      { first: 8, length: 8, known: 4 },
      { first: 12, length: 8, known: 4 },
    ]);
    expect(planWindows(9, 8).at(-1)).toEqual({ first: 1, length: 8, known: 7 });
  });

  it('refuses a model without room for a context', () => {
    expect(() => planWindows(2, 1)).toThrow('1 latent frame cannot continue');
  });
});

describe('sampleClip', () => {
  it('asks what predicts each window', async () => {
    const asked: Window[] = [];
    const predictIn = (window: Window) => {
      asked.push(window);
      return toyModel([]);
    };
    for await (const _ of sampleClip({ options, grid: [11, 2, 2], longest: 4, predictIn }));
    expect(asked).toEqual(planWindows(11, 4));
    expect(asked.length).toBeGreaterThan(2);
  });

  it('is the sampler of one window up to the model’s own length', async () => {
    const grid: Extent3 = [3, 2, 2];
    const plain: GenerationStep[] = [];
    for await (const step of sampleTokens({ options, grid, predict: toyModel([]) })) plain.push(step);
    const clip = await collect(3, 8);
    const bare = (steps: GenerationStep[]) => steps.map(({ milliseconds: _, ...step }) => step);
    expect(bare(clip)).toEqual(bare(plain));
  });

  it('gives each window the newest latent frames, and never changes a token of an earlier window', async () => {
    const calls: Call[] = [];
    const steps = await collect(10, 4, calls);
    const starts = [...steps.keys()].filter(
      (i) => steps[i]?.phase === 'bootstrap' && steps[i - 1]?.phase !== 'bootstrap',
    );
    const windows = planWindows(10, 4);
    expect(starts).toHaveLength(windows.length);
    for (const [w, { first, known }] of windows.entries()) {
      const start = starts[w] ?? -1;
      const before = steps[start - 1]?.tokens ?? new Int32Array();
      const { context, tokens } = calls[start] ?? { context: [], tokens: [] };
      expect(context).toEqual(Array.from({ length: known * AREA }, (_, i) => i));
      expect(tokens.slice(0, known * AREA)).toEqual([...before.slice(first * AREA, (first + known) * AREA)]);
      for (const step of steps.slice(start)) {
        const settled = (first + known) * AREA;
        expect(step.tokens.slice(0, settled)).toEqual(before.slice(0, settled));
        expect(step.fixed.slice(0, settled).every((flag) => flag === 1)).toBe(true);
      }
    }
  });

  it('counts its steps beforehand, ends with everything fixed, and repeats a seed', async () => {
    for (const total of [1, 4, 5, 11]) {
      const steps = await collect(total, 4);
      expect(steps.map(({ step }) => step)).toEqual(steps.map((_, i) => i + 1));
      expect(new Set(steps.map((record) => record.steps))).toEqual(new Set([steps.length]));
      expect(countClipSteps({ options, grid: [total, 2, 2], longest: 4 })).toBe(steps.length);
      expect(steps.at(-1)?.fixed.every((flag) => flag === 1)).toBe(true);
      expect((await collect(total, 4)).at(-1)?.tokens).toEqual(steps.at(-1)?.tokens);
    }
  });

  it('draws new noise in every window', async () => {
    const tokens = (await collect(64, 4)).at(-1)?.tokens ?? new Int32Array();
    const frames = Array.from({ length: 64 }, (_, t) => tokens.slice(t * AREA, (t + 1) * AREA).join(' '));
    const repeated = frames.filter((frame, t) => t >= 2 && frame === frames[t - 2]).length;
    expect(repeated).toBeLessThan(3); // by chance 62 / 12^4
  });
});
