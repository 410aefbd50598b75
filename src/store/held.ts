/**
 * What is too large for the store: the finished clip's pixels, the newest token grid and the table that paints
 * it. The store holds their ids (`clip.id`, `stepId`); whoever sees an id change looks here.
 */
import type { ClipData, PreviewTable, StepSummary } from '../worker/protocol';

export interface Held {
  clip: ClipData | null;
  step: StepSummary | null;
  table: PreviewTable | null;
}

export function createHeld(): Held {
  return { clip: null, step: null, table: null };
}
