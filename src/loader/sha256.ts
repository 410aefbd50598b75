/**
 * SHA-256 of bytes, as lower-case hex. WebCrypto where there is one; pages opened over plain http from another
 * machine have none, so that the algorithm (FIPS 180-4) stands here too.
 */
type Digest = (bytes: Uint8Array<ArrayBuffer>) => Promise<ArrayBuffer>;

export async function sha256(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  const subtle = globalThis.crypto?.subtle as SubtleCrypto | undefined;
  const digest: Digest = subtle
    ? (data) => subtle.digest('SHA-256', data)
    : async (data) => sha256Plain(data);
  return hex(new Uint8Array(await digest(bytes)));
}

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** The first 32 bits of the fractional parts of `root`-th roots of the first `count` primes. */
function fractions(count: number, root: 2 | 3): Uint32Array<ArrayBuffer> {
  const out = new Uint32Array(count);
  let found = 0;
  for (let n = 2; found < count; n += 1) {
    let prime = true;
    for (let d = 2; d * d <= n; d += 1) if (n % d === 0) prime = false;
    if (!prime) continue;
    const value = root === 2 ? Math.sqrt(n) : Math.cbrt(n);
    out[found] = Math.floor((value - Math.floor(value)) * 2 ** 32);
    found += 1;
  }
  return out;
}

const rotate = (x: number, n: number) => (x >>> n) | (x << (32 - n));

/** The algorithm itself, exported for its test. @returns 32 bytes */
export function sha256Plain(bytes: Uint8Array): ArrayBuffer {
  const round = fractions(64, 3);
  const state = fractions(8, 2);
  const words = new Uint32Array(64);

  // The message, a 1 bit, zeros, and the length in bits as 64 bits big-endian, in blocks of 64 bytes.
  const tail = new Uint8Array((bytes.length % 64) + 9 > 64 ? 128 : 64);
  const whole = bytes.length - (bytes.length % 64);
  tail.set(bytes.subarray(whole));
  tail[bytes.length % 64] = 0x80;
  const tailView = new DataView(tail.buffer);
  tailView.setUint32(tail.length - 8, Math.floor(bytes.length / 2 ** 29));
  tailView.setUint32(tail.length - 4, (bytes.length << 3) >>> 0);

  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 0; at < whole; at += 64) compress(state, round, words, view, at);
  for (let at = 0; at < tail.length; at += 64) compress(state, round, words, tailView, at);

  const out = new DataView(new ArrayBuffer(32));
  state.forEach((value, i) => {
    out.setUint32(4 * i, value);
  });
  return out.buffer;
}

function compress(state: Uint32Array, round: Uint32Array, w: Uint32Array, block: DataView, at: number): void {
  const word = (i: number) => w[i] ?? 0;
  for (let i = 0; i < 16; i += 1) w[i] = block.getUint32(at + 4 * i);
  for (let i = 16; i < 64; i += 1) {
    const a = word(i - 15);
    const b = word(i - 2);
    const s0 = rotate(a, 7) ^ rotate(a, 18) ^ (a >>> 3);
    const s1 = rotate(b, 17) ^ rotate(b, 19) ^ (b >>> 10);
    w[i] = word(i - 16) + s0 + word(i - 7) + s1;
  }
  let [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0] = state;
  for (let i = 0; i < 64; i += 1) {
    const s1 = rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25);
    const t1 = (h + s1 + ((e & f) ^ (~e & g)) + (round[i] ?? 0) + word(i)) | 0;
    const s0 = rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22);
    const t2 = (s0 + ((a & b) ^ (a & c) ^ (b & c))) | 0;
    [h, g, f, e, d, c, b, a] = [g, f, e, (d + t1) | 0, c, b, a, (t1 + t2) | 0];
  }
  [a, b, c, d, e, f, g, h].forEach((value, i) => {
    state[i] = (state[i] ?? 0) + value;
  });
}
