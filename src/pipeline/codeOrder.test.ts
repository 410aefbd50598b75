import { expect, it } from 'vitest';
import { codesFromDarkToBright } from './codeOrder';

it('goes from dark to bright, by all pixels and channels, with unpainted codes last', () => {
  const bright = (value: number): number[] => new Array<number>(12).fill(value);
  const pixels = Uint8Array.of(...bright(9), ...bright(3), ...[255, ...bright(0).slice(1)], ...bright(3));
  expect(Array.from(codesFromDarkToBright({ patch: 2, pixels }, 7))).toEqual([1, 3, 0, 2, 4, 5, 6]);
});
