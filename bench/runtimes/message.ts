/** What a running suite tells whoever started it, in Node and in a page alike. */
import type { Row } from '../rows';

export type Message =
  | { readonly type: 'log'; readonly line: string }
  | { readonly type: 'rows'; readonly rows: readonly Row[] }
  | { readonly type: 'done' }
  | { readonly type: 'failed'; readonly message: string };

/** A case that has begun is waited for so long after its backend's time was spent; then its page or process hangs. */
export const GRACE_SECONDS = 300;
