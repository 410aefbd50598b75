/**
 * Errors of any part of the engine, mapped to what the page is told: a code, a sentence that says what happened
 * and what to do, and whether the same request may succeed.
 */
import type { WebGpuFailure } from '../kernels/backends';
import { LoadError } from '../loader';
import { CheckpointError } from '../loader/checkpoint/source';
import { DoesNotFitError } from '../pipeline/memory';
import { EncodeError } from '../video/errors';
import { NoBackendError } from './backend';
import type { ErrorCode } from './protocol';

export interface Failure {
  readonly code: ErrorCode;
  readonly message: string;
  readonly retry: boolean;
  /** The worker cannot go on after it and must be replaced. */
  readonly fatal: boolean;
}

/** The GPU's device is gone or reported an error; whatever was running on it is void. */
export class DeviceFailure extends Error {
  override readonly name = 'DeviceFailure';
  constructor(readonly failure: WebGpuFailure) {
    super(failure.message);
  }
}

const MEMORY =
  /out of memory|allocation failed|cannot enlarge memory|failed to grow|OOM\b|array buffer allocation/i;
const LESS_MEMORY = 'Make the clip shorter or close other pages, then try again.';

export function failureOf(error: unknown): Failure {
  const fields = { retry: true, fatal: false };
  if (error instanceof LoadError || error instanceof EncodeError) {
    return { code: error.code, message: error.message, retry: error.retry, fatal: false };
  }
  if (error instanceof CheckpointError) {
    return { code: 'not-a-checkpoint', message: error.message, retry: false, fatal: false };
  }
  if (error instanceof DoesNotFitError) {
    return { code: 'does-not-fit', message: error.message, retry: false, fatal: false };
  }
  if (error instanceof NoBackendError) return { ...fields, code: 'no-backend', message: error.message };
  const text = error instanceof Error ? error.message : String(error);
  if (error instanceof DeviceFailure) return deviceFailure(error.failure);
  if (MEMORY.test(text)) {
    return {
      code: 'out-of-memory',
      message: `The device ran out of memory. ${LESS_MEMORY}`,
      retry: true,
      fatal: true,
    };
  }
  if (error instanceof WebAssembly.RuntimeError) {
    const message = `The WebAssembly engine stopped (${text}). Try again; it starts afresh.`;
    return { code: 'internal', message, retry: true, fatal: true };
  }
  if (error instanceof RangeError)
    return { code: 'invalid-options', message: text, retry: false, fatal: false };
  return { ...fields, code: 'internal', message: `Something went wrong in the engine: ${text}` };
}

function deviceFailure({ kind, message }: WebGpuFailure): Failure {
  const detail = message ? ` (${message.trim().split('\n')[0]?.slice(0, 160)})` : '';
  if (MEMORY.test(message)) {
    const text = `The graphics card ran out of memory${detail}. ${LESS_MEMORY}`;
    return { code: 'out-of-memory', message: text, retry: true, fatal: false };
  }
  const what =
    kind === 'lost' ? 'The browser took the graphics card away' : 'The graphics card reported an error';
  const text = `${what}${detail}. Press Generate again; the engine is rebuilt first.`;
  return { code: 'device-lost', message: text, retry: true, fatal: false };
}
