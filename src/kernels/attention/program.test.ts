import { describe, expect, it } from 'vitest';
import { indented } from '../testing/wgsl';
import { AttentionMergeProgram } from './mergeProgram';
import { AttentionProgram, type AttentionVariant, workgroupBytes } from './program';
import { attentionTile, splitKeys } from './webgpu';

const VARIANTS: Record<string, AttentionVariant> = {
  whole: { fours: 8, rows: 4, columns: 4, factors: 'f32', split: false },
  'split-narrow': { fours: 5, rows: 1, columns: 2, factors: 'f32', split: true },
  float16: { fours: 5, rows: 1, columns: 2, factors: 'f16', split: false },
};

it.each(Object.entries(VARIANTS))('generates the WGSL on record for %s', async (name, variant) => {
  const code = new AttentionProgram(variant, [1, 1], 1).getUserCode();
  await expect(indented(code)).toMatchFileSnapshot(`./program.${name}.wgsl`);
});

it('generates the WGSL on record for the merge', async () => {
  const code = new AttentionMergeProgram(1, 4).getUserCode();
  await expect(indented(code)).toMatchFileSnapshot('./mergeProgram.wgsl');
});

it('gives every variant a key of its own, as tfjs caches pipelines by it', () => {
  const flags = [true, false];
  const keys = [4, 8].flatMap((fours) =>
    ([1, 4] as const).flatMap((rows) =>
      ([2, 4] as const).flatMap((columns) =>
        flags.flatMap((split) =>
          (['f16', 'f32'] as const).map(
            (factors) => new AttentionProgram({ fours, rows, columns, factors, split }, [1, 1], 1).shaderKey,
          ),
        ),
      ),
    ),
  );
  expect(new Set(keys).size).toBe(keys.length);
});

describe('the tile', () => {
  /** Bytes of workgroup memory that every WebGPU device has. */
  const LEAST = 16384;

  it('of every head size served fits into the workgroup memory that every device has', () => {
    for (let size = 16; size <= 128; size += 4) {
      for (const queries of [1, 256]) {
        for (const factors of ['f16', 'f32'] as const) {
          const tile = attentionTile(size, queries, LEAST, factors);
          expect(tile && workgroupBytes(tile)).toBeLessThanOrEqual(LEAST);
        }
      }
    }
  });

  it('is larger where there is more of it', () => {
    expect(attentionTile(128, 256, LEAST, 'f32')?.columns).toBe(2);
    expect(attentionTile(128, 256, 32768, 'f32')?.columns).toBe(4);
  });

  it('takes more keys at once in float16', () => {
    expect(attentionTile(96, 256, LEAST, 'f32')?.columns).toBe(2);
    expect(attentionTile(96, 256, LEAST, 'f16')?.columns).toBe(4);
  });

  it.each([12, 18, 132])('is none for heads of %i channels', (size) => {
    expect(attentionTile(size, 256, 32768, 'f32')).toBeUndefined();
  });
});

describe('splitKeys', () => {
  it('splits where queries are few and keys many, and covers every key once', () => {
    const { splits, span } = splitKeys(4097, 128, 32);
    expect(splits).toBe(4);
    expect(span % 32).toBe(0);
    expect((splits - 1) * span).toBeLessThan(4097);
    expect(splits * span).toBeGreaterThanOrEqual(4097);
  });

  it.each([
    [256, 4096], // many queries
    [100, 8], // few keys
  ])('leaves %i keys for %i workgroups whole', (keys, groups) => {
    expect(splitKeys(keys, groups, 32).splits).toBe(1);
  });
});
