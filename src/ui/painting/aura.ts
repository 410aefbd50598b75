/**
 * The light that the picture throws on the wall around it: a handful of pixels taken from it, stretched wide by
 * CSS. Canvas only. Blended a little at a time, so that it follows the picture slowly.
 */

import { context2d } from './context2d';

/** Pixels along a side; few, so that the stretching blurs. */
export const AURA_SIDE = 6;
/** Averaging greys colours; this gives them back (browsers without canvas filters do without). */
const FILTER = 'saturate(1.7)';
/** Share of the new light in one call. */
const BLEND = 0.22;

/** @param atOnce `true` to take the picture's light at once */
export function paintAura(aura: HTMLCanvasElement, picture: HTMLCanvasElement, atOnce = false): void {
  const context = context2d(aura);
  context.imageSmoothingEnabled = true;
  context.imageSmoothingQuality = 'medium';
  context.filter = FILTER;
  context.globalAlpha = atOnce ? 1 : BLEND;
  context.drawImage(picture, 0, 0, AURA_SIDE, AURA_SIDE);
  context.globalAlpha = 1;
}
