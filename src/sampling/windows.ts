/**
 * Clips of any length: up to the model's own in one piece, longer ones window by window, each with the newest latent
 * frames of the one before as context. Every record is about the whole clip; no model, no tensors.
 */
import type { Extent3 } from '../config/model';
import { countSteps, type GenerationRequest, type GenerationStep, sampleTokens } from './generate';
import type { Predict } from './steps';

/** A part of the clip that the model sees at once, in latent frames. */
export interface Window {
  readonly first: number;
  readonly length: number;
  /** So many at its start are known from the window before. */
  readonly known: number;
}

export interface ClipRequest extends Omit<GenerationRequest, 'known' | 'firstStep' | 'predict'> {
  /** Latent frames that the model holds at once. */
  readonly longest: number;
  /** What predicts a window's tokens: of later ones less may be told. */
  readonly predictIn: (window: Window) => Predict;
}

/**
 * Half of each further window is known: with less, wind and light are not told for sure; with more, every step makes
 * less. All windows are full; where the clip's end does not meet a window's, the last one knows more.
 * @throws RangeError where the model holds one latent frame only and cannot continue
 */
export function planWindows(total: number, longest: number): Window[] {
  if (total <= longest) return [{ first: 0, length: total, known: 0 }];
  if (longest < 2) throw new RangeError(`A model of ${longest} latent frame cannot continue a clip.`);
  const windows: Window[] = [{ first: 0, length: longest, known: 0 }];
  const advance = Math.ceil(longest / 2);
  for (let end = longest; end < total; ) {
    const fresh = Math.min(advance, total - end);
    end += fresh;
    windows.push({ first: end - longest, length: longest, known: longest - fresh });
  }
  return windows;
}

/** Forward passes that `sampleClip` will make. */
export function countClipSteps(request: Omit<ClipRequest, 'predictIn' | 'signal'>): number {
  const windows = planWindows(request.grid[0], request.longest);
  return windows.reduce((sum, window) => sum + countSteps(windowRequest(request, window)), 0);
}

/** As `sampleTokens`; what lies beyond the window under way is not fixed yet. */
export async function* sampleClip(request: ClipRequest): AsyncGenerator<GenerationStep, void, undefined> {
  const { grid } = request;
  const area = grid[1] * grid[2];
  const steps = countClipSteps(request);
  let step = 0;
  let tokens = new Int32Array(grid[0] * area);
  for (const window of planWindows(grid[0], request.longest)) {
    const start = window.first * area;
    const part = {
      ...windowRequest(request, window, tokens),
      predict: request.predictIn(window),
      firstStep: step,
    };
    for await (const record of sampleTokens(part)) {
      tokens = tokens.slice();
      tokens.set(record.tokens, start);
      const fixed = new Uint8Array(tokens.length).fill(1, 0, start);
      fixed.set(record.fixed, start);
      step++;
      yield { ...record, step, steps, tokens, fixed, grid };
    }
  }
}

function windowRequest<Request extends Omit<ClipRequest, 'predictIn'>>(
  { longest: _, ...request }: Request,
  { first, length, known }: Window,
  tokens = new Int32Array(request.grid[0] * request.grid[1] * request.grid[2]),
) {
  const grid: Extent3 = [length, request.grid[1], request.grid[2]];
  const area = grid[1] * grid[2];
  if (known === 0) return { ...request, grid };
  const given = tokens.slice(first * area, (first + length) * area);
  const fixed = new Uint8Array(given.length).fill(1, 0, known * area);
  return { ...request, grid, known: { tokens: given, fixed } };
}
