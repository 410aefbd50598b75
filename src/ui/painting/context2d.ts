/**
 * The one way in which painting gets a canvas's context.
 */

/**
 * A context that paints on the CPU. The pictures are small and change all the time, and a GPU that is busy with
 * the model, or made of software, would keep the page waiting for every one of them.
 */
export function context2d(canvas: HTMLCanvasElement): CanvasRenderingContext2D {
  const context = canvas.getContext('2d', { willReadFrequently: true });
  if (!context) throw new Error('This browser gives no 2D canvas, so there is nothing to paint on.');
  return context;
}
