/**
 * The strip under the picture while tokens are being fixed: one column a latent frame, each row the mean colour of
 * its fixed tokens, as opaque as the row is complete. It grows into the slit scan of the clip (player.ts). Canvas
 * only; painted once a step.
 */
import type { PreviewTable, StepSummary } from '../../worker/protocol';
import { context2d } from './context2d';

/** Sets the canvas's size to T' × H'; CSS stretches it. */
export function paintTokenStrip(canvas: HTMLCanvasElement, summary: StepSummary, table: PreviewTable): void {
  const [frames, rows, columns] = summary.grid;
  canvas.width = frames;
  canvas.height = rows;
  const context = context2d(canvas);
  const image = context.createImageData(frames, rows);
  for (let row = 0; row < frames * rows; row++) {
    const sum: [number, number, number] = [0, 0, 0];
    let count = 0;
    for (let n = row * columns; n < (row + 1) * columns; n++) {
      if (!summary.fixed[n]) continue;
      count += 1;
      addMeanColour(sum, table, summary.tokens[n] ?? 0);
    }
    const to = ((row % rows) * frames + Math.floor(row / rows)) * 4;
    image.data.set([...sum.map((value) => value / Math.max(1, count)), (255 * count) / columns], to);
  }
  context.putImageData(image, 0, 0);
}

function addMeanColour(sum: [number, number, number], { patch, pixels }: PreviewTable, token: number): void {
  const area = patch * patch;
  for (let i = 0; i < area; i++) {
    for (let c = 0; c < 3; c++) sum[c] = (sum[c] ?? 0) + (pixels[(token * area + i) * 3 + c] ?? 0) / area;
  }
}
