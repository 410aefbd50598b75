/** How the address names a model that this browser keeps: `?model=opfs:HASH`. */

export const KEPT_SCHEME = 'opfs:';

/** The hash in `opfs:HASH`, or null for every other address. */
export function keptHash(manifestUrl: string): string | null {
  return manifestUrl.startsWith(KEPT_SCHEME) ? manifestUrl.slice(KEPT_SCHEME.length) : null;
}
