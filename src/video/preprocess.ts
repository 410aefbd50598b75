/**
 * A clip as the tokenizer's encoder wants it: every n-th frame, the shorter side resized to the resolution, the
 * middle square, values in ±0.5. Arrays only.
 */

/** RGB8 frames, [T, H, W, 3]. */
export interface RgbClip {
  readonly pixels: Uint8Array;
  readonly frames: number;
  readonly height: number;
  readonly width: number;
}

export interface EncoderClip {
  /** [frames, resolution, resolution, 3], in ±0.5. */
  readonly values: Float32Array<ArrayBuffer>;
  readonly frames: number;
}

/** Bilinear without antialiasing (pixel centres at i + 1/2, edges repeated); the longer side is rounded up. */
export function preprocessClip(clip: RgbClip, resolution: number, keepEvery = 1): EncoderClip {
  const { pixels, height, width } = clip;
  const scale = resolution / Math.min(height, width);
  const rows = taps(height, height <= width ? resolution : Math.ceil(height * scale), resolution);
  const columns = taps(width, height <= width ? Math.ceil(width * scale) : resolution, resolution);
  const frames = Math.ceil(clip.frames / keepEvery);
  const values = new Float32Array(frames * resolution * resolution * 3);
  let out = 0;
  for (let frame = 0; frame < frames; frame++) {
    const start = frame * keepEvery * height * width * 3;
    for (const row of rows) {
      for (const column of columns) {
        for (let channel = 0; channel < 3; channel++) {
          const at = (y: number, x: number): number => pixels[start + (y * width + x) * 3 + channel] ?? 0;
          const above = mix(at(row.low, column.low), at(row.low, column.high), column.weight);
          const below = mix(at(row.high, column.low), at(row.high, column.high), column.weight);
          values[out++] = mix(above, below, row.weight) / 255 - 0.5;
        }
      }
    }
  }
  return { values, frames };
}

/** Where one output pixel reads: between `low` and `high`, `weight` of the latter. */
interface Tap {
  readonly low: number;
  readonly high: number;
  readonly weight: number;
}

/** The middle `crop` of `to` output pixels of an axis of `from` pixels. */
function taps(from: number, to: number, crop: number): Tap[] {
  const first = Math.floor((to - crop) / 2);
  return Array.from({ length: crop }, (_, i) => {
    const position = Math.max(0, ((first + i + 0.5) * from) / to - 0.5);
    const low = Math.min(Math.floor(position), from - 1);
    return { low, high: Math.min(low + 1, from - 1), weight: position - low };
  });
}

function mix(a: number, b: number, weight: number): number {
  return a + (b - a) * weight;
}
