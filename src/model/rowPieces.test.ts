import { beforeAll, describe, expect, it } from 'vitest';
import { SUBMIT_FLOPS } from '../kernels/gpu';
import { switchBackend } from '../kernels/testing/backends';
import { onBackend } from '../kernels/testing/parity';
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

  describe('on wasm', () => {
    beforeAll(async () => {
      await switchBackend('wasm');
    });

    it('fit a processor, but have rows enough for a product', () => {
      expect(rowsAtOnce(256)).toEqual({ attention: 1024, hidden: 256 });
      expect(rowsAtOnce(64)).toEqual({ attention: 4096, hidden: 1024 });
      expect(rowsAtOnce(1024).hidden).toBe(128);
      expect(rowsAtOnce(256, 3)).toEqual({ attention: 341, hidden: 85 });
    });
  });
});

onBackend('webgpu', 'pieces', () => {
  it('are no more than one submit each, within 16 MiB', () => {
    for (const width of [256, 512, 1024, 2048]) {
      const { hidden } = rowsAtOnce(width);
      expect(2 * hidden * width * 4 * width).toBeLessThanOrEqual(SUBMIT_FLOPS);
      expect(hidden * 4 * width * 4).toBeLessThanOrEqual(16 * 2 ** 20);
    }
    expect(rowsAtOnce(1024).hidden).toBe(1024);
  });
});
