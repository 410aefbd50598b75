/**
 * Smooth enlargement of a small picture by a whole factor with a cubic filter, before the browser stretches the
 * rest of the way: bilinear stretching alone shows the pixels' diamonds at ten times the size. Plain arrays.
 */

/** Mitchell and Netravali's own choice, between stair-stepped edges (Catmull-Rom) and a blur (B-spline). */
const B = 1 / 3;
const C = 1 / 3;

/** The Mitchell–Netravali family of cubic filters at distance x, in pixels of the small picture. */
function cubic(x: number): number {
  const d = Math.abs(x);
  if (d < 1) return ((12 - 9 * B - 6 * C) * d ** 3 + (-18 + 12 * B + 6 * C) * d ** 2 + (6 - 2 * B)) / 6;
  if (d < 2)
    return ((-B - 6 * C) * d ** 3 + (6 * B + 30 * C) * d ** 2 + (-12 * B - 48 * C) * d + 8 * B + 24 * C) / 6;
  return 0;
}

/**
 * @param pixels RGBA8 [height, width, 4]; alpha is taken as 255
 * @returns RGBA8 [height·factor, width·factor, 4]
 */
export function upscale(
  pixels: Uint8ClampedArray,
  width: number,
  height: number,
  factor: number,
): Uint8ClampedArray<ArrayBuffer> {
  const wide = stretch(pixels, height, width, width * 4, 4, factor);
  // wide: [height, width·factor, 3] floats; now along the columns.
  const tall = stretch(wide, width * factor, height, 3, width * factor * 3, factor);
  // tall: [width·factor, height·factor, 3]
  const out = new Uint8ClampedArray(width * height * factor * factor * 4);
  const rows = height * factor;
  const columns = width * factor;
  for (let y = 0; y < rows; y++) {
    for (let x = 0; x < columns; x++) {
      const from = (x * rows + y) * 3;
      const to = (y * columns + x) * 4;
      out[to] = tall[from] ?? 0;
      out[to + 1] = tall[from + 1] ?? 0;
      out[to + 2] = tall[from + 2] ?? 0;
      out[to + 3] = 255;
    }
  }
  return out;
}

/** Enlarges along one axis: `lines` lines of `length` samples; returns [lines, length·factor, 3]. */
function stretch(
  from: ArrayLike<number>,
  lines: number,
  length: number,
  lineStride: number,
  stride: number,
  factor: number,
): Float32Array {
  const out = new Float32Array(lines * length * factor * 3);
  for (let phase = 0; phase < factor; phase++) {
    // Centre of the new sample, in samples of the old line, from the centre of sample i.
    const offset = (phase + 0.5) / factor - 0.5;
    const shift = Math.floor(offset);
    const taps = [-1, 0, 1, 2].map((k) => cubic(k - (offset - shift)));
    const [t0 = 0, t1 = 0, t2 = 0, t3 = 0] = taps;
    for (let line = 0; line < lines; line++) {
      const start = line * lineStride;
      for (let i = 0; i < length; i++) {
        const at = i + shift;
        const p0 = start + clamp(at - 1, length) * stride;
        const p1 = start + clamp(at, length) * stride;
        const p2 = start + clamp(at + 1, length) * stride;
        const p3 = start + clamp(at + 2, length) * stride;
        const to = (line * length * factor + i * factor + phase) * 3;
        for (let c = 0; c < 3; c++) {
          out[to + c] =
            t0 * (from[p0 + c] ?? 0) +
            t1 * (from[p1 + c] ?? 0) +
            t2 * (from[p2 + c] ?? 0) +
            t3 * (from[p3 + c] ?? 0);
        }
      }
    }
  }
  return out;
}

function clamp(i: number, length: number): number {
  return i < 0 ? 0 : i >= length ? length - 1 : i;
}
