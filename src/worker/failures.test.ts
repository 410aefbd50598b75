import { describe, expect, it, vi } from 'vitest';
import { LoadError } from '../loader';
import { EncodeError } from '../video/errors';
import { NoBackendError } from './backend';
import { DeviceFailure, failureOf } from './failures';

vi.mock('@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm-simd.wasm?url', () => ({ default: 'simd' }));
vi.mock('@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm-threaded-simd.wasm?url', () => ({
  default: 'threaded',
}));

describe('failureOf', () => {
  it.each<[unknown, string, boolean, boolean]>([
    [new LoadError('shard-corrupt', 'Damaged.', true), 'shard-corrupt', true, false],
    [new LoadError('manifest-version', 'Newer.', false), 'manifest-version', false, false],
    [new EncodeError('None works.', false), 'encoding-failed', false, false],
    [new NoBackendError('Nothing here.'), 'no-backend', true, false],
    [new DeviceFailure({ kind: 'lost', message: 'GPU process gone' }), 'device-lost', true, false],
    [new DeviceFailure({ kind: 'error', message: 'Out of memory' }), 'out-of-memory', true, false],
    [new RangeError('Array buffer allocation failed'), 'out-of-memory', true, true],
    [new RangeError('17 frames were asked for.'), 'invalid-options', false, false],
    [new WebAssembly.RuntimeError('memory access out of bounds'), 'internal', true, true],
    ['a string', 'internal', true, false],
  ])('%s', (error, code, retry, fatal) => {
    expect(failureOf(error)).toMatchObject({ code, retry, fatal });
  });

  it('keeps the words of the graphics card, on one line', () => {
    const failure = failureOf(
      new DeviceFailure({ kind: 'error', message: 'Invalid pipeline\n - at line 3' }),
    );
    expect(failure.message).toContain('(Invalid pipeline)');
  });
});
