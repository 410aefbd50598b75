// Smooth enlargement of a small picture.
import { describe, expect, it } from 'vitest';
import { upscale } from './upscale';

const picture = (width: number, height: number, value: (x: number, y: number) => number) =>
  Uint8ClampedArray.from({ length: width * height * 4 }, (_, i) =>
    i % 4 === 3 ? 255 : value(Math.floor(i / 4) % width, Math.floor(i / 4 / width)) + (i % 4) * 10,
  );

describe('upscale', () => {
  it('keeps a flat picture flat, to the edges', () => {
    const large = upscale(
      picture(5, 3, () => 100),
      5,
      3,
      4,
    );
    expect(large).toHaveLength(20 * 12 * 4);
    for (let i = 0; i < large.length; i += 4)
      expect([...large.subarray(i, i + 4)]).toEqual([100, 110, 120, 255]);
  });

  it('keeps a ramp a ramp, in place and the right way round', () => {
    const factor = 4;
    const large = upscale(
      picture(12, 6, (x, y) => 8 * x + 10 * y),
      12,
      6,
      factor,
    );
    for (const [x, y] of [
      [18, 10],
      [25, 13],
      [31, 9],
    ] as const) {
      const exact = 8 * ((x + 0.5) / factor - 0.5) + 10 * ((y + 0.5) / factor - 0.5);
      expect(Math.abs((large[(y * 48 + x) * 4] ?? 0) - exact)).toBeLessThanOrEqual(0.51);
    }
  });

  it('makes of an edge a monotone slope rather than a stair', () => {
    const large = upscale(
      picture(8, 1, (x) => (x < 4 ? 40 : 200)),
      8,
      1,
      4,
    );
    const slope = Array.from({ length: 8 }, (_, i) => large[(12 + i) * 4] ?? 0);
    expect(slope).toEqual([...slope].sort((a, b) => a - b));
    expect(new Set(slope).size).toBeGreaterThanOrEqual(6);
  });
});
