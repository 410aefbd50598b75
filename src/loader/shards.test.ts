// Bodies whose length is announced, is not, or is a lie: what comes is whole, and no more memory is taken than came.
import { describe, expect, it } from 'vitest';
import { sha256 } from './sha256';
import { fetchShard, readManifestText } from './shards';
import { AllocationCounter } from './testing/fuzz/allocations';

const MIB = 1 << 20;

/** A stream of these bytes in pieces of `piece`. */
function stream(bytes: Uint8Array<ArrayBuffer>, piece: number): ReadableStream<Uint8Array<ArrayBuffer>> {
  let at = 0;
  return new ReadableStream({
    pull(controller) {
      if (at >= bytes.length) return controller.close();
      controller.enqueue(bytes.subarray(at, at + piece));
      at += piece;
    },
  });
}

function numbered(length: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  for (let i = 0; i < length; i++) bytes[i] = i * 31 + (i >> 8);
  return bytes;
}

async function fetched(
  bytes: Uint8Array<ArrayBuffer>,
  headers: Record<string, string> = {},
  claimed = bytes.length,
) {
  const progress: number[] = [];
  const shard = { file: 'shard-0.bin', bytes: claimed, sha256: await sha256(bytes) };
  const got = await fetchShard('https://example.test/shard-0.bin', shard, {
    fetch: async () => new Response(stream(bytes, 100_000), { headers }),
    onBytes: (count) => progress.push(count),
  });
  return { got, progress };
}

describe('fetchShard', () => {
  it.each([
    ['no length', {}],
    ['its length', { 'content-length': String(5 * MIB + 3) }],
    ['a length before compression', { 'content-length': '99', 'content-encoding': 'br' }],
    ['too short a length', { 'content-length': '17' }],
    ['no number for a length', { 'content-length': 'many' }],
  ])('puts a body of 5 MB together that announces %s', async (_, headers) => {
    const bytes = numbered(5 * MIB + 3);
    const { got, progress } = await fetched(bytes, headers);
    expect(Buffer.from(got).equals(bytes)).toBe(true);
    expect(progress.at(-1)).toBe(bytes.length);
    expect(progress).toEqual([...progress].sort((a, b) => a - b));
  });

  it('takes little memory for a shard that a manifest claims to be large and that is not', async () => {
    const counter = new AllocationCounter();
    counter.install();
    try {
      await expect(fetched(numbered(1000), {}, 2 ** 31)).rejects.toThrow('1000 bytes arrived and 2147483648');
    } finally {
      counter.uninstall();
    }
    expect(counter.bytes).toBeLessThan(4 * MIB); // two attempts
  });
});

describe('readManifestText', () => {
  const read = (body: Uint8Array<ArrayBuffer>) =>
    readManifestText(new Response(stream(body, 65_536)), 'https://example.test/manifest.json', undefined);

  it('reads text of more than a megabyte', async () => {
    const text = '{"name":"größe"}'.repeat(100_000);
    expect(await read(new TextEncoder().encode(text))).toBe(text);
  });

  it('gives up on what is far too long for a manifest', async () => {
    await expect(read(new Uint8Array(5 * MIB).fill(32))).rejects.toMatchObject({ code: 'not-a-manifest' });
  });
});
