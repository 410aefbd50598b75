/** Decoded frames to pixels: what the field's files hold, trunc(255 · (clamp(x, ±0.5) + 0.5)), and alpha 255. */

/**
 * @param values [t, H, W, 3], nominal range ±0.5
 * @param out RGBA8 of the whole clip
 * @param firstPixel where in `out` the first of these pixels goes
 */
export function writePixels(values: Float32Array, out: Uint8ClampedArray, firstPixel: number): void {
  let at = 4 * firstPixel;
  for (let i = 0; i < values.length; i += 3, at += 4) {
    out[at] = toByte(values[i] ?? 0);
    out[at + 1] = toByte(values[i + 1] ?? 0);
    out[at + 2] = toByte(values[i + 2] ?? 0);
    out[at + 3] = 255;
  }
}

function toByte(x: number): number {
  return Math.trunc(255 * (Math.min(0.5, Math.max(-0.5, x)) + 0.5));
}
