import { describe, expect, it } from 'vitest';
import { SUBMIT_FLOPS } from '../kernels/gpu';
import { piecesOf, rowsAtOnce } from './rowPieces';

describe('pieces', () => {
  it.each([
    [7, 3, [3, 3, 1]],
    [6, 3, [3, 3]],
    [2, 3, [2]],
    [0, 3, []],
    [5, Number.POSITIVE_INFINITY, [5]],
  ])('of %i rows, at most %d each, follow one another', (rows, most, counts) => {
    const pieces = piecesOf(rows, most);
    expect(pieces.map(([, count]) => count)).toEqual(counts);
    let end = 0;
    for (const [first, count] of pieces) {
      expect(first).toBe(end);
      end += count;
    }
  });

  it('fit a processor, but have rows enough for a product', () => {
    expect(rowsAtOnce(256, 4096, 1, 'others')).toEqual({ attention: 1024, hidden: 256 });
    expect(rowsAtOnce(64, 4096, 1, 'others')).toEqual({ attention: 4096, hidden: 1024 });
    expect(rowsAtOnce(1024, 4096, 1, 'others').hidden).toBe(128);
    expect(rowsAtOnce(256, 4096, 3, 'others')).toEqual({ attention: 341, hidden: 85 });
  });

  it('are at most eight on a graphics card, no more than one submit and 16 MiB each', () => {
    for (const width of [64, 256, 512, 1024, 2048]) {
      const { hidden } = rowsAtOnce(width, 8192, 1, 'webgpu');
      expect(2 * hidden * width * 4 * width).toBeLessThanOrEqual(SUBMIT_FLOPS);
      expect(hidden * 4 * width * 4).toBeLessThanOrEqual(16 * 2 ** 20);
    }
    expect(rowsAtOnce(1024, 8192, 1, 'webgpu').hidden).toBe(1024);
    expect(rowsAtOnce(1024, 4096, 1, 'webgpu').hidden).toBe(512);
    expect(rowsAtOnce(256, 1000, 1, 'webgpu').hidden).toBe(512);
  });
});
