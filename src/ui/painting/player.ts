/**
 * Draws any moment of a finished clip, enlarged smoothly, and its slit scan. Canvas only; no clock, no React.
 *
 * A frame is enlarged once with a cubic filter (1–2 ms) and kept as a canvas. Between frames the two neighbours are cross-faded, which makes 16 frames a second look calm.
 */
import type { ClipData } from '../../worker/protocol';
import { context2d } from './context2d';
import { upscale } from './upscale';

/** Side in pixels that the cubic filter enlarges to, and the canvas's; CSS stretches it the rest of the way. */
export const SMOOTH_SIDE = 256;

export class ClipPainter {
  private readonly frames: (HTMLCanvasElement | undefined)[] = [];
  private readonly factor: number;

  constructor(readonly clip: ClipData) {
    this.factor = Math.max(1, Math.min(8, Math.floor(SMOOTH_SIDE / Math.max(clip.width, clip.height))));
  }

  /** @param at frames from the start, fractional between two; wraps around the loop */
  paint(canvas: HTMLCanvasElement, at: number): void {
    const context = context2d(canvas);
    const { frames } = this.clip;
    const index = Math.floor(at) % frames;
    const mix = at - Math.floor(at);
    context.globalAlpha = 1;
    context.drawImage(this.frame(index), 0, 0, canvas.width, canvas.height);
    if (mix < 0.02) return;
    context.globalAlpha = mix;
    context.drawImage(this.frame((index + 1) % frames), 0, 0, canvas.width, canvas.height);
    context.globalAlpha = 1;
  }

  /** Enlarges the next frame that is not ready; false once all are. Meant for idle time. */
  prepareOne(): boolean {
    for (let index = 0; index < this.clip.frames; index++) {
      if (this.frames[index]) continue;
      this.frame(index);
      return true;
    }
    return false;
  }

  private frame(index: number): HTMLCanvasElement {
    const ready = this.frames[index];
    if (ready) return ready;
    const { width, height, pixels } = this.clip;
    const area = width * height * 4;
    const canvas = document.createElement('canvas');
    canvas.width = width * this.factor;
    canvas.height = height * this.factor;
    const large = upscale(pixels.subarray(index * area, (index + 1) * area), width, height, this.factor);
    context2d(canvas).putImageData(new ImageData(large, canvas.width, canvas.height), 0, 0);
    this.frames[index] = canvas;
    return canvas;
  }
}

/** How wide, of the picture, the slit is that the slit scan looks through. */
const SLIT = 0.2;

/**
 * The whole clip in one picture: column t is the mean of the middle columns of frame t. Sets the canvas's size to
 * frames × height; CSS stretches it.
 */
export function paintSlitScan(canvas: HTMLCanvasElement, { pixels, frames, width, height }: ClipData): void {
  canvas.width = frames;
  canvas.height = height;
  const context = context2d(canvas);
  const image = context.createImageData(frames, height);
  const first = Math.floor(width * (0.5 - SLIT / 2));
  const last = Math.max(first + 1, Math.ceil(width * (0.5 + SLIT / 2)));
  for (let t = 0; t < frames; t++) {
    for (let y = 0; y < height; y++) {
      const to = (y * frames + t) * 4;
      const row = (t * height + y) * width;
      for (let c = 0; c < 3; c++) {
        let sum = 0;
        for (let x = first; x < last; x++) sum += pixels[(row + x) * 4 + c] ?? 0;
        image.data[to + c] = sum / (last - first);
      }
      image.data[to + 3] = 255;
    }
  }
  context.putImageData(image, 0, 0);
}
