/** What a running suite tells whoever started it, in Node and in a page alike. */
import type { Row } from '../rows';

export type Message =
  | { readonly type: 'log'; readonly line: string }
  | { readonly type: 'rows'; readonly rows: readonly Row[] }
  | { readonly type: 'done' }
  | { readonly type: 'failed'; readonly message: string };
