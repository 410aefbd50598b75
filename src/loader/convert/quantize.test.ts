/** Rounding to int8 and int4: that it is the recipe's to the bit, and what it makes of one group. */
import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { quantize } from './quantize';

describe('quantize', () => {
  /** The same values, hashes and names are in weights/recipe/tests/test_manifest.py. */
  it.each([
    ['int8', undefined, '12095e7d10ed23198ee9b83fc30bd93ffb64456c65fba2d7ec7ab43ac467cbe6'],
    ['int4', 32, '4e7c69f92bc6d4696e2610aea26e8948b192b3cd659d230a8de77ac7b1927518'],
  ] as const)('to %s gives the bytes that the recipe gives', (dtype, group, hash) => {
    const values = Float32Array.from({ length: 1200 }, (_, i) =>
      i % 12 === 5 ? 0 : (((i * 7919) % 2003) - 1001) * (1 + (i % 13)) * 2 ** -10,
    );
    const { data, scale } = quantize(values, [100, 12], { dtype, ...(group ? { group } : {}) });
    expect(
      createHash('sha256')
        .update(data)
        .update(scale ?? '')
        .digest('hex'),
    ).toBe(hash);
  });

  it('to int4 gives the largest value of a group the level -8, whatever its sign', () => {
    const { data, scale, error } = quantize(Float32Array.of(8, -7, 3, -1), [4, 1], {
      dtype: 'int4',
      group: 4,
    });
    const words = new Int32Array(data.buffer, data.byteOffset, 4);
    expect([...words].map((word) => (word << 28) >> 28)).toEqual([-8, 7, -3, 1]);
    expect(scale && [...new Float32Array(scale.buffer, scale.byteOffset, 1)]).toEqual([-1]);
    expect(error).toBe(0);
  });
});
