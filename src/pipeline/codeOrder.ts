/** In which order linked draws go through the codes: from dark to bright, as the preview paints them. */
import type { CodeOrder } from '../sampling/filtering';
import type { PreviewTable } from '../worker/protocol';

/** All `vocabulary` codes; those that the table does not paint are the last, equal ones by their numbers. */
export function codesFromDarkToBright({ pixels, patch }: PreviewTable, vocabulary: number): CodeOrder {
  const values = patch * patch * 3;
  const brightness = Array.from({ length: vocabulary }, (_, code) => {
    const painted = pixels.subarray(code * values, (code + 1) * values);
    return painted.length === 0 ? Number.POSITIVE_INFINITY : painted.reduce((sum, value) => sum + value, 0);
  });
  const codes = brightness.map((_, code) => code);
  return Int32Array.from(codes.sort((a, b) => compare(brightness[a] ?? 0, brightness[b] ?? 0) || a - b));
}

/** The difference, but of two infinite ones 0. */
function compare(a: number, b: number): number {
  return a === b ? 0 : a - b;
}
