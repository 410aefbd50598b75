// What a model needs is known from its manifest; the plan bounds what a run is then measured to need.
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
import { describe, expect, it } from 'vitest';
import { defaultGenerationOptions, modelFacts } from '../config/generation';
import type { ModelConfig } from '../config/model';
import type { Manifest } from '../loader';
import type { TensorEntry } from '../loader/manifest';
import { listWeights } from '../model/initialization';
import { generate } from './generate';
import { checkFits, DoesNotFitError, memoryFigures, planMemory } from './memory';
import { peakBytes } from './peakBytes';
import { createTinyEngine } from './testing/tinyEngine';

const OFFICIAL: ModelConfig = {
  transformer: {
    width: 1024,
    heads: 16,
    latentTokens: 256,
    vocabulary: 16_384,
    positions: 8192,
    modes: [
      ...Array.from({ length: 6 }, () => ['latent_enc', 'latent_self'] as const).flat(),
      'latent_enc',
      ...Array.from({ length: 5 }, () => ['latent_dec', 'lt2l'] as const).flat(),
      'latent_dec',
    ],
  },
  tokenizer: {
    codes: 16_384,
    codeWidth: 256,
    norm: 'affine',
    decoder: [
      { channels: 256, stride: [2, 2, 2], residualBlocks: 2 },
      { channels: 128, stride: [2, 2, 2], residualBlocks: 2 },
      { channels: 64, stride: [1, 2, 2], residualBlocks: 2 },
    ],
  },
  grid: [32, 16, 16],
  frameRate: 16,
  sampling: {},
};

function manifestOf(dtype: TensorEntry['dtype'], model = OFFICIAL): Manifest {
  const tensors = listWeights(model).map(({ name, shape }): TensorEntry => {
    const at = { shard: 0, offset: 0 };
    const quantized = dtype.startsWith('int') && shape.length > 1;
    return {
      name,
      shape,
      ...at,
      dtype: quantized ? dtype : 'float32',
      ...(quantized ? { scale: at } : {}),
      ...(quantized && dtype === 'int4' ? { group: 64 } : {}),
    };
  });
  return {
    name: 'official',
    license: 'x',
    parameters: 1,
    model,
    tensors,
    shards: [],
    sha256: '',
  } as unknown as Manifest;
}

const sentence = (run: () => void): string => {
  try {
    run();
  } catch (error) {
    if (error instanceof DoesNotFitError) return error.message;
    throw error;
  }
  return 'fits';
};

describe('planMemory', () => {
  it('keeps integers packed on WebGPU and widens them elsewhere', () => {
    const [float32, int8, int4] = (['float32', 'int8', 'int4'] as const).map(
      (dtype) => planMemory(manifestOf(dtype), { backend: 'webgpu' }, 32).weights,
    );
    expect((float32 ?? 0) / 1e9).toBeCloseTo(1.46, 1);
    expect((int8 ?? 0) / (float32 ?? 0)).toBeLessThan(0.32);
    expect(int4).toBeLessThan((int8 ?? 0) * 0.65);
    expect(planMemory(manifestOf('int4'), { backend: 'cpu' }, 32).weights).toBe(float32);
  });

  it('counts the matrices twice on wasm, whose library keeps a copy of them in an order of its own', () => {
    // Measured by `npm run full-size -- generate`: a heap of 2.86 GB with the weights, 3.20 GB after a clip of 4 frames.
    const { weights, total } = planMemory(manifestOf('int8'), { backend: 'wasm' }, 1);
    expect(weights / 1e9).toBeGreaterThan(2.7);
    expect(weights / 1e9).toBeLessThan(2.86);
    expect(total / 1e9).toBeGreaterThan(2.86);
  });

  it('grows with the clip and not with what stays', () => {
    const [short, long] = [4, 32].map((t) => planMemory(manifestOf('int8'), { backend: 'webgpu' }, t));
    expect(long?.weights).toBe(short?.weights);
    // Eight times the tokens: of what a pass holds, only the streams grow; pieces of them do not.
    expect((long?.transformer ?? 0) / (short?.transformer ?? 1)).toBeGreaterThan(1.5);
    const half = planMemory(manifestOf('int8'), { backend: 'webgpu' }, 16);
    expect((long?.decoder ?? 0) - half.decoder).toBe(16 * 16 * 16 * 256 * 4); // its latents
  });

  it('bounds what a run of the tiny model is measured to hold, within a factor of 8', async () => {
    await tf.setBackend('cpu');
    const engine = await createTinyEngine();
    const { manifest } = engine;
    const frames = manifest.model.grid[0] * 4;
    const options = { ...defaultGenerationOptions(modelFacts(manifest.model)), frames, steps: 4 };
    const { bytes } = await peakBytes(async () => {
      for await (const _ of generate(engine, options));
    });
    const { total, weights } = planMemory(manifest, { backend: 'cpu' }, manifest.model.grid[0]);
    expect(bytes).toBeLessThan(total - weights);
    expect(bytes * 8).toBeGreaterThan(total - weights);
    engine.dispose();
  }, 60_000);
});

describe('memoryFigures', () => {
  it('says what the official model takes on wasm, of what there is', () => {
    const { weights, peak, peakFrames, limit, frames, problem } = memoryFigures(manifestOf('int8'), {
      backend: 'wasm',
    });
    expect({ peakFrames, frames, problem }).toEqual({ peakFrames: 128, frames: 512, problem: null });
    expect(weights / 1e9).toBeCloseTo(2.75, 0); // float32, and matrices twice
    expect(peak).toBeGreaterThan(weights);
    expect(peak).toBeLessThan(limit ?? 0);
  });

  it('knows no limit on a graphics card, and what fits where buffers are small', () => {
    const card = { backend: 'webgpu', bufferBytes: 20 * 2 ** 20 } as const;
    const { limit, frames, peakFrames, problem } = memoryFigures(manifestOf('int8'), card);
    expect(limit).toBeNull();
    expect(frames).toBe(peakFrames);
    expect(frames).toBeLessThan(128);
    expect(problem).toContain(`A clip of ${frames} frames fits`);
  });

  it('says that nothing fits, and what would', () => {
    const card = { backend: 'webgpu', bufferBytes: 40 * 2 ** 20 } as const;
    expect(memoryFigures(manifestOf('float32'), card)).toMatchObject({
      frames: 0,
      problem: expect.stringMatching(/Stored as int8 it fits/),
    });
  });
});

describe('checkFits', () => {
  it('lets the official 128-frame model pass on wasm and on a graphics card with the usual limits', () => {
    expect(sentence(() => checkFits(manifestOf('int8'), { backend: 'wasm' }, 128))).toBe('fits');
    const usual = { backend: 'webgpu', bufferBytes: 128 * 2 ** 20 } as const;
    expect(sentence(() => checkFits(manifestOf('int8'), usual, 128))).toBe('fits');
  });

  it('names the longest clip that fits', () => {
    const small = { backend: 'webgpu', bufferBytes: 20 * 2 ** 20 } as const;
    const text = sentence(() => checkFits(manifestOf('int8'), small, 128));
    const frames = Number(/A clip of (\d+) frames fits/.exec(text)?.[1]);
    expect(frames).toBeGreaterThan(0);
    expect(sentence(() => checkFits(manifestOf('int8'), small, frames))).toBe('fits');
    expect(sentence(() => checkFits(manifestOf('int8'), small, frames + 4))).not.toBe('fits');
  });

  it('names the storage that fits where the weights are too large', () => {
    const small = { backend: 'webgpu', bufferBytes: 40 * 2 ** 20 } as const;
    const text = sentence(() => checkFits(manifestOf('float32'), small));
    expect(text).toMatch(/needs a buffer of 68 MB .* allows 42 MB\. Stored as int8 it fits/);
  });

  it('says that WebGPU would do where WebAssembly has too little', () => {
    const width = 4096;
    const large = { ...OFFICIAL, transformer: { ...OFFICIAL.transformer, width } };
    const text = sentence(() => checkFits(manifestOf('int8', large), { backend: 'wasm' }));
    expect(text).toMatch(/WebAssembly has 3\.9 GB\. With WebGPU/);
  });
});
