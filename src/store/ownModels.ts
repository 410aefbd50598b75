/** The models that come with the page, and which of them a device begins with. */
import type { BackendSummary } from '../worker/protocol';

/** An address, and when to choose it. */
export interface OwnModel {
  /** Of its manifest; `?model=` takes its folder's name, too. */
  readonly source: string;
  /** In a few words. */
  readonly role: string;
}

/** Small enough for a processor. */
const QUICK = { source: 'weights/sky-64/manifest.json', role: 'the quick one, for any machine' };
const FULL = { source: 'weights/sky-128/manifest.json', role: 'the large one, for graphics cards' };

export const OWN_MODELS: readonly OwnModel[] = [QUICK, FULL];

/** What to offer where another model cannot be had. */
export const FALLBACK_MODEL = QUICK.source;

/** A software adapter computes on the processor, whatever it is called. */
export function ownModelFor({ backend, software }: Pick<BackendSummary, 'backend' | 'software'>): string {
  return backend === 'webgpu' && !software ? FULL.source : QUICK.source;
}

export const isOwn = (source: string): boolean => OWN_MODELS.some((own) => own.source === source);
