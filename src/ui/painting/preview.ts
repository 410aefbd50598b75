/**
 * Paints the token grid while it is being decoded: fixed tokens as patches of light, masked ones under a veil
 * that hints at what is near them. Canvas only; no React, no store. One picture costs about a millisecond.
 *
 * Three layers, each a small canvas stretched smoothly: the veil (one pixel a token), the fixed tokens' patches
 * (p×p pixels a token, transparent where masked), and a point on every masked token.
 */
import type { Extent3 } from '../../config/model';
import type { PreviewTable, StepSummary } from '../../worker/protocol';
import { context2d } from './context2d';
import { fogOf } from './fog';
import type { VeilTheme } from './theme';

/** Time for a new token to appear, and how visible it is in the very first picture. */
const FADE_MS = 420;
const FIRST_ALPHA = 0.3;
/** How long one latent frame is shown before the next takes over, and the share of it that is a cross-fade. */
const DWELL_MS = 1100;
const CROSSFADE = 0.45;
/** The veil's breath: period and depth. */
const BREATH_MS = 5200;
const BREATH_DEPTH = 0.055;
/** How much of the guessed colour the veil lets through. */
const FOG_SHARE = 0.5;
/** Re-predicted tokens (revise) are dimmed rather than hidden: their earlier value still stands. */
const REVISE_ALPHA = 0.55;

interface Layer {
  readonly canvas: HTMLCanvasElement;
  readonly context: CanvasRenderingContext2D;
  image: ImageData;
}

export class PreviewPainter {
  private grid: Extent3 = [1, 8, 8];
  private table: PreviewTable | null = null;
  private tokens = new Int32Array(64);
  /** [N] how visible each token is, and where that is going. */
  private alpha = new Float32Array(64);
  private target = new Float32Array(64);
  private fog = new Float32Array(64 * 4);
  /** The latent frame that stands still where motion is unwelcome. */
  private still = 0;
  private lastPaint = 0;
  private readonly veil = createLayer();
  private readonly light = createLayer();

  constructor(
    private readonly canvas: HTMLCanvasElement,
    private theme: VeilTheme,
    private calm: boolean,
  ) {}

  setTheme(theme: VeilTheme, calm: boolean): void {
    this.theme = theme;
    this.calm = calm;
  }

  /** An empty grid: everything masked. */
  reset(grid: Extent3, table: PreviewTable | null): void {
    const positions = grid[0] * grid[1] * grid[2];
    const patch = table?.patch ?? 1;
    this.grid = grid;
    this.table = table;
    this.still = grid[0] >> 1;
    this.tokens = new Int32Array(positions);
    this.alpha = new Float32Array(positions);
    this.target = new Float32Array(positions);
    this.fog = new Float32Array(positions * 4);
    resizeLayer(this.veil, grid[2], grid[1]);
    resizeLayer(this.light, grid[2] * patch, grid[1] * patch);
  }

  /** The grid after a step. Call `paint` afterwards: a new token shows from the first picture on. */
  take(summary: StepSummary): void {
    const [t, h, w] = summary.grid;
    if (t !== this.grid[0] || h !== this.grid[1] || w !== this.grid[2]) this.reset(summary.grid, this.table);
    const fresh = new Int32Array(t);
    const hidden = summary.phase === 'revise' ? REVISE_ALPHA : 0;
    for (let n = 0; n < this.alpha.length; n++) {
      const known = summary.fixed[n] === 1;
      if (known) this.tokens[n] = summary.tokens[n] ?? 0;
      const before = this.target[n] ?? 0;
      const frame = Math.floor(n / (h * w));
      if (known && before < 1) fresh[frame] = (fresh[frame] ?? 0) + 1;
      this.target[n] = known ? 1 : Math.min(hidden, before > 0 ? 1 : 0);
      if (this.calm) this.alpha[n] = this.target[n] ?? 0;
      else if (known) this.alpha[n] = Math.max(this.alpha[n] ?? 0, FIRST_ALPHA);
    }
    // Steps of a single token would not show otherwise.
    this.still = t >> 1;
    if (fresh[this.still] === 0 && Math.max(...fresh) > 0) this.still = fresh.indexOf(Math.max(...fresh));
    this.fog = fogOf(this.meanColours(), summary.fixed, this.grid);
  }

  /** @param now milliseconds, as given to requestAnimationFrame */
  paint(now: number): void {
    const context = context2d(this.canvas);
    this.advance(now);
    const { index, next, mix } = this.shownFrames(now);
    this.paintVeil(index, next, mix, now);
    this.paintLight(index, next, mix);
    const { width, height } = this.canvas;
    context.imageSmoothingEnabled = true;
    context.drawImage(this.veil.canvas, 0, 0, width, height);
    this.paintPoints(context, index, next, mix, now);
    context.drawImage(this.light.canvas, 0, 0, width, height);
  }

  /** Which latent frame is shown: to and fro through all of them, one that stands still where motion is unwelcome. */
  shownFrames(now: number): { index: number; next: number; mix: number } {
    const frames = this.grid[0];
    if (frames === 1) return { index: 0, next: 0, mix: 0 };
    if (this.calm) return { index: this.still, next: this.still, mix: 0 };
    const turn = 2 * (frames - 1);
    const at = (now / DWELL_MS) % turn;
    const fold = (i: number) => (i % turn < frames ? i % turn : turn - (i % turn));
    const index = Math.floor(at);
    const mix = smoothstep((at - index - (1 - CROSSFADE)) / CROSSFADE);
    return { index: fold(index), next: fold(index + 1), mix };
  }

  private advance(now: number): void {
    const elapsed = Math.min(200, Math.max(0, now - this.lastPaint));
    this.lastPaint = now;
    if (this.calm) return;
    const share = 1 - Math.exp((-elapsed * 3) / FADE_MS);
    for (let n = 0; n < this.alpha.length; n++) {
      const alpha = this.alpha[n] ?? 0;
      this.alpha[n] = alpha + ((this.target[n] ?? 0) - alpha) * share;
    }
  }

  private paintVeil(index: number, next: number, mix: number, now: number): void {
    const [, rows, columns] = this.grid;
    const { data } = this.veil.image;
    const { top, bottom } = this.theme;
    const area = rows * columns;
    for (let y = 0; y < rows; y++) {
      const height = rows > 1 ? (y / (rows - 1)) ** 1.6 : 0;
      for (let x = 0; x < columns; x++) {
        const n = y * columns + x;
        const a = (index * area + n) * 4;
        const b = (next * area + n) * 4;
        const trust = FOG_SHARE * lerp(this.fog[a + 3] ?? 0, this.fog[b + 3] ?? 0, mix);
        const breath = 1 + this.breath(x / columns, y / rows, now);
        for (let c = 0; c < 3; c++) {
          const veil = lerp(top[c] ?? 0, bottom[c] ?? 0, height);
          const guess = lerp(this.fog[a + c] ?? 0, this.fog[b + c] ?? 0, mix);
          data[n * 4 + c] = lerp(veil, guess, trust) * breath;
        }
        data[n * 4 + 3] = 255;
      }
    }
    this.veil.context.putImageData(this.veil.image, 0, 0);
  }

  /** A slow wave that wanders over the veil, -depth to +depth. */
  private breath(x: number, y: number, now: number): number {
    if (this.calm) return 0;
    const phase = (now / BREATH_MS) * 2 * Math.PI;
    return (
      BREATH_DEPTH * (Math.sin(phase + 3.1 * x + 1.7 * y) + 0.5 * Math.sin(phase * 0.61 - 4.3 * x + 2.9 * y))
    );
  }

  private paintLight(index: number, next: number, mix: number): void {
    if (!this.table) return;
    const [, rows, columns] = this.grid;
    const { patch, pixels } = this.table;
    const { data } = this.light.image;
    const stride = columns * patch;
    const area = rows * columns;
    for (let n = 0; n < area; n++) {
      const a = index * area + n;
      const b = next * area + n;
      const alphaA = (this.alpha[a] ?? 0) * (1 - mix);
      const alphaB = (this.alpha[b] ?? 0) * mix;
      const sum = alphaA + alphaB;
      const shareB = sum > 0 ? alphaB / sum : 0;
      const fromA = (this.tokens[a] ?? 0) * patch * patch * 3;
      const fromB = (this.tokens[b] ?? 0) * patch * patch * 3;
      const corner = Math.floor(n / columns) * patch * stride + (n % columns) * patch;
      for (let i = 0; i < patch * patch; i++) {
        const to = (corner + Math.floor(i / patch) * stride + (i % patch)) * 4;
        for (let c = 0; c < 3; c++)
          data[to + c] = lerp(pixels[fromA + i * 3 + c] ?? 0, pixels[fromB + i * 3 + c] ?? 0, shareB);
        data[to + 3] = sum * 255;
      }
    }
    this.light.context.putImageData(this.light.image, 0, 0);
  }

  private paintPoints(
    context: CanvasRenderingContext2D,
    index: number,
    next: number,
    mix: number,
    now: number,
  ): void {
    const [, rows, columns] = this.grid;
    const area = rows * columns;
    const { width, height } = this.canvas;
    const size = Math.max(1.5, width / 270);
    context.fillStyle = this.theme.point;
    for (let n = 0; n < area; n++) {
      const masked = 1 - lerp(this.alpha[index * area + n] ?? 0, this.alpha[next * area + n] ?? 0, mix);
      if (masked < 0.05) continue;
      const x = (n % columns) + 0.5;
      const y = Math.floor(n / columns) + 0.5;
      const breath = this.breath(x / columns, y / rows, now * 1.7) / BREATH_DEPTH;
      context.globalAlpha = masked * (0.4 + 0.25 * breath);
      context.fillRect((x / columns) * width - size / 2, (y / rows) * height - size / 2, size, size);
    }
    context.globalAlpha = 1;
  }

  /** [N, 3] the mean colour of every position's token. */
  private meanColours(): Float32Array {
    const colours = new Float32Array(this.tokens.length * 3);
    if (!this.table) return colours;
    const { patch, pixels } = this.table;
    const area = patch * patch;
    for (let n = 0; n < this.tokens.length; n++) {
      const from = (this.tokens[n] ?? 0) * area * 3;
      for (let i = 0; i < area * 3; i++) {
        const at = n * 3 + (i % 3);
        colours[at] = (colours[at] ?? 0) + (pixels[from + i] ?? 0) / area;
      }
    }
    return colours;
  }
}

function createLayer(): Layer {
  const canvas = document.createElement('canvas');
  canvas.width = 8;
  canvas.height = 8;
  const context = context2d(canvas);
  return { canvas, context, image: context.createImageData(8, 8) };
}

function resizeLayer(layer: Layer, width: number, height: number): void {
  layer.canvas.width = width;
  layer.canvas.height = height;
  layer.image = layer.context.createImageData(width, height);
}

function lerp(a: number, b: number, t: number): number {
  return a + (b - a) * t;
}

function smoothstep(t: number): number {
  const s = Math.min(1, Math.max(0, t));
  return s * s * (3 - 2 * s);
}
