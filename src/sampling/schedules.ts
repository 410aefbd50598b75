/**
 * Mask schedules: how many tokens stay masked after each step, and how hot the choice of context is.
 * Computed in float32, rounding after every operation: in float64 the last cosine step would leave one
 * token masked, and t = 2/3 one token more. No randomness here.
 */
import type { Schedule } from '../config/generation';

const f32 = Math.fround;
const PI = f32(Math.PI);
const HALF_PI = f32(Math.PI / 2);

/**
 * Progress after step `k` (0-based) of `steps`, in (0, 1]. Float64, as evenly spaced points are usually
 * made: k times the spacing, the last one exactly 1.
 */
export function progressAfter(k: number, steps: number): number {
  return k + 1 === steps ? 1 : (k + 1) * (1 / steps);
}

/**
 * Fraction masked at progress t in [0, 1]: 1 at 0, 0 at 1 (cosine: -4e-8). The only function here whose last
 * float64 bit may differ between JavaScript engines is `cos`; rounding to float32 hides it.
 */
export function maskedFraction(schedule: Schedule, progress: number): number {
  const t = f32(progress);
  const rest = f32(1 - t);
  switch (schedule) {
    case 'cosine':
      return f32(Math.cos(f32(HALF_PI * t)));
    case 'linear':
      return rest;
    case 'quadratic':
      return f32(rest * rest);
    case 'sqrt':
      return f32(1 - f32(Math.sqrt(t)));
    case 'square':
      return f32(1 - f32(t * t));
    case 'cube':
      return f32(1 - f32(f32(t * t) * t));
    case 'quartic':
      return f32(1 - f32(f32(f32(t * t) * t) * t));
    case 'cosine_plus':
      return f32(f32(f32(Math.cos(f32(PI * t))) + 1) / 2);
    case 'convex':
      return f32(f32(rest * rest) * rest);
    default:
      throw new Error(
        `Mask schedule: "${schedule satisfies never}" is not one of SCHEDULES in config/generation.`,
      );
  }
}

/** Tokens that stay masked at `progress`, of `total` that the schedule counts. */
export function maskedCount(schedule: Schedule, progress: number, total: number): number {
  const count = Math.ceil(f32(maskedFraction(schedule, progress) * f32(total)));
  return Math.max(count, 0); // cosine ends at -0
}

/** How the choice temperature falls with progress. */
export const CHOICE_SCHEDULES = ['linear', 'constant', 'cosine'] as const;
export type ChoiceSchedule = (typeof CHOICE_SCHEDULES)[number];

/** Factor of the choice temperature at progress t: float64, as the order it decides is not a count. */
export function choiceTemperatureFactor(schedule: ChoiceSchedule, progress: number): number {
  switch (schedule) {
    case 'linear':
      return 1 - progress;
    case 'constant':
      return 1;
    case 'cosine':
      return Math.cos((Math.PI / 2) * progress);
    default:
      throw new Error(`Choice temperature: "${schedule satisfies never}" is not one of CHOICE_SCHEDULES.`);
  }
}
