import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { sha256, sha256Plain } from './sha256';

const hex = (buffer: ArrayBuffer) => Buffer.from(buffer).toString('hex');
const expected = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

describe('sha256', () => {
  it.each([0, 1, 3, 55, 56, 63, 64, 65, 119, 120, 128, 1000])('without WebCrypto: %i bytes', (length) => {
    const bytes = Uint8Array.from({ length }, (_, i) => (i * 37 + length) % 256);
    expect(hex(sha256Plain(bytes))).toBe(expected(bytes));
  });

  it('looks only at its view of a buffer', () => {
    const whole = Uint8Array.from({ length: 300 }, (_, i) => i % 256);
    expect(hex(sha256Plain(whole.subarray(7, 200)))).toBe(expected(whole.slice(7, 200)));
  });

  it('is lower-case hex with WebCrypto', async () => {
    expect(await sha256(new TextEncoder().encode('abc'))).toBe(
      'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad',
    );
  });
});
