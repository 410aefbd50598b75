/** Which keys a query sees. Arithmetic only, shared by every implementation. */

export interface AttentionOptions {
  /** Query i sees the keys up to its own: the queries are the last NQ of the `keyCount` positions. */
  readonly causal?: boolean;
  /** Keys that count, from the first on; the rest of a cache is not looked at. NK when left out. */
  readonly keyCount?: number;
}

/** For query i the number of keys that it sees, from the first on; never falls with i, may be 0. */
export function visibleKeys(
  queries: number,
  keys: number,
  { causal = false, keyCount = keys }: AttentionOptions,
): (query: number) => number {
  if (!causal) return () => keyCount;
  return (query) => Math.max(0, keyCount - queries + query + 1);
}
