// Validation of generation options: every bad value gives a sentence and a usable option.
import { describe, expect, it } from 'vitest';
import {
  defaultGenerationOptions,
  GENERATION_LIMITS,
  lengthChoices,
  limitsFor,
  type ModelFacts,
  parseGenerationOptions,
  toSearchParams,
} from './generation';

const facts: ModelFacts = {
  maxFrames: 64,
  ownFrames: 64,
  framesPerLatent: 4,
  vocabulary: 1024,
  sampling: {},
};

describe('defaultGenerationOptions', () => {
  it('takes the general defaults where the model says nothing', () => {
    expect(defaultGenerationOptions(facts)).toEqual({
      seed: 0,
      frames: 64,
      steps: 24,
      bootstrap: 0,
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
      revisePasses: 0,
      reviseSteps: 2,
      reviseTemperature: 0.7,
    });
  });

  it("prefers the model's own values and passes over unusable ones", () => {
    const sampling = { choiceTemperature: 12, schedule: 'linear', topK: 'many', flavour: 3, bootstrap: 16 };
    const options = defaultGenerationOptions({ ...facts, sampling });
    expect(options).toMatchObject({ choiceTemperature: 12, schedule: 'linear', topK: 0, bootstrap: 16 });
    expect(options).not.toHaveProperty('flavour');
  });

  it('shortens the clip to what the device does in comfort, in whole latent frames', () => {
    expect(defaultGenerationOptions({ ...facts, comfortableFrames: 35 }).frames).toBe(32);
    expect(defaultGenerationOptions({ ...facts, comfortableFrames: 3 }).frames).toBe(16);
  });

  it('offers a model of 8 frames its 8 frames', () => {
    const short = { ...facts, maxFrames: 8, ownFrames: 8 };
    expect(limitsFor(short).frames).toMatchObject({ min: 8, max: 8, step: 4 });
    expect(defaultGenerationOptions(short).frames).toBe(8);
  });
});

describe('lengthChoices', () => {
  const long = { ...facts, maxFrames: 512 };

  it('has every length of one piece, then whole windows, and the chosen one wherever it lies', () => {
    const choices = lengthChoices(long, 64);
    expect(choices.slice(0, 13)).toEqual([16, 20, 24, 28, 32, 36, 40, 44, 48, 52, 56, 60, 64]);
    expect(choices.slice(13)).toEqual([...Array(14).keys()].map((i) => 96 + 32 * i));
    expect(lengthChoices(long, 100).slice(13, 16)).toEqual([96, 100, 128]);
  });

  it('ends with the model’s own length where it cannot continue', () => {
    expect(lengthChoices({ ...facts, maxFrames: 8, ownFrames: 8 }, 8)).toEqual([8]);
    expect(lengthChoices(facts, 64).at(-1)).toBe(64);
  });
});

describe('parseGenerationOptions', () => {
  it('reads every field from strings', () => {
    const { options, problems } = parseGenerationOptions(
      { seed: '4294967295', frames: '32', steps: '12', temperature: '.9', topP: '0.95', schedule: 'convex' },
      facts,
    );
    expect(problems).toEqual([]);
    expect(options).toMatchObject({ seed: 4294967295, frames: 32, steps: 12, temperature: 0.9, topP: 0.95 });
    expect(options.schedule).toBe('convex');
  });

  it.each([
    ['seed', 'abc', 0, 'Seed “abc” is not a whole number from 0 to 4294967295; 0 is used instead.'],
    ['seed', '', 0, 'Seed “” is not a whole number from 0 to 4294967295; 0 is used instead.'],
    ['seed', '0x10', 0, 'Seed “0x10” is not a whole number from 0 to 4294967295; 0 is used instead.'],
    [
      'seed',
      '-1',
      0,
      'Seed “-1” is outside its range, a whole number from 0 to 4294967295; 0 is used instead.',
    ],
    [
      'steps',
      '1000',
      64,
      'Steps “1000” is outside its range, a whole number from 4 to 64; 64 is used instead.',
    ],
    ['frames', '30', 32, 'Length “30” is not a multiple of 4 from 16 to 64; 32 is used instead.'],
    ['topK', '5.5', 6, 'Top-k “5.5” is not a whole number from 0 to 1024; 6 is used instead.'],
    ['topP', '0', 0.01, 'Top-p “0” is outside its range, a number from 0.01 to 1; 0.01 is used instead.'],
    ['temperature', 'Infinity', 1, 'Temperature “Infinity” is not a number from 0 to 2; 1 is used instead.'],
    [
      'temperature',
      '1e999',
      2,
      'Temperature “1e999” is outside its range, a number from 0 to 2; 2 is used instead.',
    ],
  ] as const)('%s=%s uses %s and says so', (field, given, used, message) => {
    const { options, problems } = parseGenerationOptions({ [field]: given }, facts);
    expect(options[field]).toBe(used);
    expect(problems).toEqual([{ field, message }]);
  });

  it('names the schedules when one is not known', () => {
    const { options, problems } = parseGenerationOptions({ schedule: 'sine' }, facts);
    expect(options.schedule).toBe('cosine');
    expect(problems[0]?.message).toMatch(/“sine”.*cosine, linear.*cosine is used instead\.$/);
  });

  it('takes an order of the tokens by its name, and says which there are', () => {
    expect(parseGenerationOptions({ order: 'spread' }, facts)).toMatchObject({
      options: { order: 'spread' },
      problems: [],
    });
    const { options, problems } = parseGenerationOptions({ order: 'raster' }, facts);
    expect(options.order).toBe('confidence');
    expect(problems).toEqual([
      {
        field: 'order',
        message: 'Order “raster” is not known (there are confidence, spread); confidence is used instead.',
      },
    ]);
  });

  it('has a model whose tokens all read one another read all that are masked', () => {
    expect(parseGenerationOptions({ targets: 1024 }, facts)).toMatchObject({ options: { targets: 1024 } });
    const { options, problems } = parseGenerationOptions({ targets: 1024 }, { ...facts, dense: true });
    expect(options.targets).toBe(0);
    expect(problems).toHaveLength(1);
  });

  it('takes what the clip is to be of, and says what the model cannot be told', () => {
    const traits = [{ name: 'hour', values: ['day', 'night'], shares: [[3, 1]] }];
    const told = { ...facts, traits };
    const { options, problems } = parseGenerationOptions({ scene: 'hour-night' }, told);
    expect([options.scene, problems]).toEqual(['hour-night', []]);
    expect(toSearchParams(options, told).get('scene')).toBe('hour-night');
    expect(toSearchParams({ ...options, scene: '' }, told).has('scene')).toBe(false);
    const wrong = parseGenerationOptions({ scene: 'hour-noon' }, told);
    expect(wrong.options.scene).toBe('');
    expect(wrong.problems).toEqual([
      { field: 'scene', message: 'Scene: hour “noon” is not known (there are day, night); it is left open.' },
    ]);
    expect(parseGenerationOptions({ scene: 'hour-night' }, facts).problems).toHaveLength(1);
  });

  it('cuts a long value short in the sentence', () => {
    const [problem] = parseGenerationOptions({ seed: 'x'.repeat(1000) }, facts).problems;
    expect(problem?.message.length).toBeLessThan(120);
  });

  it('accepts both ends of every range', () => {
    const limits = limitsFor(facts);
    for (const end of ['min', 'max'] as const) {
      const given = Object.fromEntries(Object.entries(limits).map(([field, limit]) => [field, limit[end]]));
      expect(parseGenerationOptions(given, facts)).toMatchObject({ options: given, problems: [] });
    }
  });
});

describe('toSearchParams', () => {
  it('writes the seed and only what differs from the defaults', () => {
    const options = { ...defaultGenerationOptions(facts), seed: 7, steps: 12, schedule: 'cube' as const };
    expect(toSearchParams(options, facts).toString()).toBe('seed=7&steps=12&schedule=cube');
  });

  it('is undone by parseGenerationOptions', () => {
    const told = { ...facts, traits: [{ name: 'hour', values: ['day', 'night'], shares: [[3, 1]] }] };
    const changed = {
      ...defaultGenerationOptions(told),
      ...{ seed: 123, frames: 16, bootstrap: 8, temperature: 0.1, choiceTemperature: 0, topK: 32, topP: 0.9 },
      ...{
        schedule: 'sqrt' as const,
        order: 'spread' as const,
        targets: 1024,
        scene: 'hour-night',
        revisePasses: 2,
        reviseSteps: 4,
        reviseTemperature: 0.3,
      },
    };
    const read = parseGenerationOptions(Object.fromEntries(toSearchParams(changed, told)), told);
    expect(read).toEqual({ options: changed, problems: [] });
    expect(Object.keys(GENERATION_LIMITS).length + 3).toBe(Object.keys(changed).length);
  });
});
