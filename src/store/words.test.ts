// Figures as the visitor reads them.
import { describe, expect, it } from 'vitest';
import {
  clipWords,
  duration,
  fileName,
  machineParts,
  memoryWords,
  partOf,
  sceneWords,
  size,
  timeLeft,
} from './words';

describe('duration', () => {
  it.each([
    [0.2, '1 ms'],
    [42, '42 ms'],
    [600, '0.6 s'],
    [9_940, '9.9 s'],
    [9_960, '10 s'],
    [59_400, '59 s'],
    [59_600, '1 min 0 s'],
    [125_000, '2 min 5 s'],
  ])('reads %d ms as %s', (milliseconds, text) => expect(duration(milliseconds)).toBe(text));
});

it('never says that no time is left', () => {
  expect(timeLeft(10)).toBe('1 s left');
  expect(timeLeft(61_000)).toBe('1 min 1 s left');
});

it('gives sizes in units of a thousand', () => {
  expect(size(12_940_000)).toBe('12.9 MB');
  expect(size(47_380)).toBe('47.4 kB');
  expect(partOf(0, 12_940_000)).toBe('0.0 of 12.9 MB');
});

it('tells model, seed and length in the file name, whatever the model is called', () => {
  expect(fileName('sky-64', 7, 32, 'mp4')).toBe('sky-64-seed-7-32-frames.mp4');
  expect(fileName('../a b', 7, 32, 'gif')).toBe('..-a-b-seed-7-32-frames.gif');
});

describe('machineParts', () => {
  const model = { name: 'sky-64', parameters: 10_012_345 };
  const wasm = { backend: 'wasm', reason: '', threads: 2 } as const;
  it('says what runs', () => {
    expect(machineParts(model, wasm, 600)).toEqual([
      'sky-64',
      '10.0 M parameters',
      'wasm, 2 threads',
      '0.6 s a step',
    ]);
  });
  it('counts a small model in thousands', () => {
    expect(machineParts({ name: 'tiny', parameters: 11_800 }, null, null)).toEqual([
      'tiny',
      '12 k parameters',
    ]);
  });
  it('says as much as is known', () => {
    expect(machineParts(null, { ...wasm, threads: 1 }, null)).toEqual(['wasm, 1 thread']);
    expect(machineParts(null, { backend: 'webgpu', reason: '', threads: 1, adapter: 'apple' }, null)).toEqual(
      ['webgpu, apple'],
    );
  });
});

describe('what a clip is of', () => {
  const scene = { hour: 'sunset', wind: 'left', water: 'yes', moon: 'no' };

  it('names every choice, and of a clip only what it has', () => {
    expect(sceneWords(scene)).toBe('hour sunset · wind left · water · no moon');
    expect(clipWords(scene)).toBe('hour sunset · wind left · water');
  });
});

describe('memoryWords', () => {
  const memory = { weights: 40e6, peak: 61.3e6, peakFrames: 64, frames: 512, problem: null };

  it('names the limit where it is known, and says so where it is not', () => {
    expect(memoryWords({ ...memory, limit: 3.9e9 })).toBe(
      '40.0 MB of weights, 61.3 MB in all at 64 frames, of 3.9 GB',
    );
    expect(memoryWords({ ...memory, limit: null })).toMatch(/browsers do not tell$/);
  });
});
