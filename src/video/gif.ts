/**
 * GIF through gifenc: a palette for each frame and ordered dithering, whose fixed pattern keeps gradients smooth
 * without crawling from frame to frame. No WebCodecs, no canvas.
 */
/// <reference path="./gifenc.d.ts" />
import { GIFEncoder, quantize } from 'gifenc';
import type { ClipData } from '../worker/protocol';
import type { EncodeOptions } from './encode';

type Color = readonly [number, number, number];

/** How long the encoder may hold the worker before messages are looked at, in ms. */
const SLICE_MS = 25;

export async function encodeGif(clip: ClipData, options: EncodeOptions): Promise<Blob> {
  const { pixels, frames, width, height } = clip;
  const gif = GIFEncoder();
  const delays = frameDelays(frames, clip.frameRate);
  const bytes = width * height * 4;
  let sliceStart = performance.now();
  for (let frame = 0; frame < frames; frame += 1) {
    // A copy: gifenc looks at the whole buffer under a view.
    const rgba = pixels.slice(frame * bytes, (frame + 1) * bytes);
    const palette = quantize(rgba, 256, { format: 'rgb565' });
    const indices = ditherToPalette(rgba, width, palette);
    gif.writeFrame(indices, width, height, { palette, delay: 10 * (delays[frame] ?? 0), repeat: 0 });
    options.onFrame?.(frame + 1, frames);
    if (performance.now() - sliceStart > SLICE_MS) {
      await new Promise((resolve) => setTimeout(resolve));
      options.signal?.throwIfAborted();
      sliceStart = performance.now();
    }
  }
  gif.finish();
  return new Blob([gif.bytes()], { type: 'image/gif' });
}

/**
 * Hundredths of a second that each frame stays, GIF's unit. They differ by one so that frame i begins as near to
 * i / frameRate as can be written, and the mean rate is exact. Players show delays below 2 as 10.
 */
export function frameDelays(frames: number, frameRate: number): number[] {
  const start = (frame: number) => Math.round((100 * frame) / frameRate);
  return Array.from({ length: frames }, (_, frame) => start(frame + 1) - start(frame));
}

/** Bayer's 4×4 matrix, as offsets in [-0.5, 0.5). */
const BAYER = [0, 8, 2, 10, 12, 4, 14, 6, 3, 11, 1, 9, 15, 7, 13, 5].map((rank) => (rank + 0.5) / 16 - 0.5);
/** About the distance between neighbouring palette entries of a smooth sky, in 8-bit levels. */
const DITHER_LEVELS = 5;

/** The palette index of every pixel. @param rgba [height, width, 4] */
export function ditherToPalette(
  rgba: Uint8ClampedArray,
  width: number,
  palette: readonly (readonly number[])[],
): Uint8Array<ArrayBuffer> {
  const colors = palette.map(([r = 0, g = 0, b = 0]): Color => [r, g, b]);
  // Dithered colours recur; -1 where not yet looked up. 7 bits a channel keep the table small.
  const nearest = new Int16Array(1 << 21).fill(-1);
  const indices = new Uint8Array(rgba.length / 4);
  for (let i = 0; i < indices.length; i += 1) {
    const x = i % width;
    const y = (i - x) / width;
    const offset = DITHER_LEVELS * (BAYER[(y % 4) * 4 + (x % 4)] ?? 0);
    const channel = (c: number) => Math.min(255, Math.max(0, Math.round((rgba[4 * i + c] ?? 0) + offset)));
    const [r, g, b] = [channel(0), channel(1), channel(2)];
    const key = ((r >> 1) << 14) | ((g >> 1) << 7) | (b >> 1);
    let index = nearest[key] ?? -1;
    if (index < 0) {
      // The middle of the cell, so that the result does not depend on which colour came first.
      index = nearestColor(colors, (r & ~1) + 0.5, (g & ~1) + 0.5, (b & ~1) + 0.5);
      nearest[key] = index;
    }
    indices[i] = index;
  }
  return indices;
}

function nearestColor(colors: readonly Color[], r: number, g: number, b: number): number {
  let best = 0;
  let least = Number.POSITIVE_INFINITY;
  for (const [i, color] of colors.entries()) {
    const distance = (color[0] - r) ** 2 + (color[1] - g) ** 2 + (color[2] - b) ** 2;
    if (distance < least) {
      least = distance;
      best = i;
    }
  }
  return best;
}
