/** Starts worker.ts in a thread that Vitest's own loader does not reach. */
import { register } from 'tsx/esm/api';

register();
await import('./worker.ts');
