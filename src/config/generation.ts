/**
 * What a visitor asks for: one type, its limits and defaults. Parsing from the URL and from fields
 * goes through `parseGenerationOptions`, so that every bad value ends in the same kind of sentence.
 */

/** Mask schedules of the official code: progress t in [0, 1] to the fraction that stays masked. */
export const SCHEDULES = [
  'cosine',
  'linear',
  'quadratic',
  'sqrt',
  'square',
  'cube',
  'cosine_plus',
  'convex',
] as const;
export type Schedule = (typeof SCHEDULES)[number];

export interface GenerationOptions {
  /** Unsigned 32-bit; the only source of randomness. */
  readonly seed: number;
  /** Frames of the clip, a whole number of latent frames. */
  readonly frames: number;
  /** Parallel decoding steps of the draft. */
  readonly steps: number;
  /** Single-token steps before the draft, in random order. */
  readonly bootstrap: number;
  readonly temperature: number;
  readonly choiceTemperature: number;
  /** 0 keeps every code. */
  readonly topK: number;
  /** 1 keeps every code. */
  readonly topP: number;
  readonly schedule: Schedule;
  /** M: sweeps over the finished grid, each re-predicting every token given the others. */
  readonly revisePasses: number;
  /** Steps of one sweep: the grid is split into this many blocks. */
  readonly reviseSteps: number;
  readonly reviseTemperature: number;
}
