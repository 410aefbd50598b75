/**
 * The strip under the picture while tokens are being fixed: one cell a latent frame, its tokens squeezed into it,
 * transparent where masked. Canvas only. Painted once a step.
 */
import type { PreviewTable, StepSummary } from '../../worker/protocol';

/** Pixels a token is wide and high, and the gap between two latent frames. */
const TOKEN_WIDTH = 2;
const TOKEN_HEIGHT = 2;
const GAP = 2;

/** Sets the canvas's size; CSS stretches it. */
export function paintTokenStrip(canvas: HTMLCanvasElement, summary: StepSummary, table: PreviewTable): void {
  const [frames, rows, columns] = summary.grid;
  const cell = columns * TOKEN_WIDTH;
  canvas.width = frames * (cell + GAP) - GAP;
  canvas.height = rows * TOKEN_HEIGHT;
  const context = canvas.getContext('2d');
  if (!context) return;
  const image = context.createImageData(canvas.width, canvas.height);
  for (let n = 0; n < frames * rows * columns; n++) {
    if (!summary.fixed[n]) continue;
    const [r, g, b] = meanColour(table, summary.tokens[n] ?? 0);
    const left = Math.floor(n / (rows * columns)) * (cell + GAP) + (n % columns) * TOKEN_WIDTH;
    const top = (Math.floor(n / columns) % rows) * TOKEN_HEIGHT;
    for (let y = 0; y < TOKEN_HEIGHT; y++) {
      for (let x = 0; x < TOKEN_WIDTH; x++) {
        const to = ((top + y) * canvas.width + left + x) * 4;
        image.data[to] = r;
        image.data[to + 1] = g;
        image.data[to + 2] = b;
        image.data[to + 3] = 255;
      }
    }
  }
  context.putImageData(image, 0, 0);
}

function meanColour({ patch, pixels }: PreviewTable, token: number): [number, number, number] {
  const area = patch * patch;
  const mean: [number, number, number] = [0, 0, 0];
  for (let i = 0; i < area; i++) {
    for (let c = 0; c < 3; c++) mean[c] = (mean[c] ?? 0) + (pixels[(token * area + i) * 3 + c] ?? 0) / area;
  }
  return mean;
}
