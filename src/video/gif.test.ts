import { describe, expect, it } from 'vitest';
import type { ClipData } from '../worker/protocol';
import { encode, support } from './encode';
import { ditherToPalette, frameDelays } from './gif';

function clip(frames: number, width = 8, height = 6, frameRate = 16): ClipData {
  const pixels = new Uint8ClampedArray(frames * width * height * 4).map((_, i) =>
    i % 4 === 3 ? 255 : (i * 7) % 256,
  );
  return { pixels, frames, width, height, frameRate };
}

/** Graphic control extensions of a GIF: the delay of each frame. */
function delaysOf(gif: Uint8Array): number[] {
  const delays: number[] = [];
  for (let i = 0; i + 7 < gif.length; i += 1) {
    if (gif[i] === 0x21 && gif[i + 1] === 0xf9 && gif[i + 2] === 4 && gif[i + 7] === 0) {
      delays.push((gif[i + 4] ?? 0) + 256 * (gif[i + 5] ?? 0));
    }
  }
  return delays;
}

describe('frameDelays', () => {
  it.each([
    [64, 16, 400],
    [30, 30, 100],
    [24, 24, 100],
    [100, 25, 400],
  ])('%i frames at %i per second last %i hundredths, none more than one off', (frames, rate, total) => {
    const delays = frameDelays(frames, rate);
    expect(delays.reduce((sum, delay) => sum + delay, 0)).toBe(total);
    expect(delays.every((delay) => Math.abs(delay - 100 / rate) < 1)).toBe(true);
  });
});

describe('ditherToPalette', () => {
  it('keeps a colour that the palette has, where it is far from the others', () => {
    const rgba = Uint8ClampedArray.of(250, 0, 0, 255, 0, 0, 250, 255);
    const palette = [
      [0, 0, 250],
      [250, 0, 0],
    ];
    expect([...ditherToPalette(rgba, 2, palette)]).toEqual([1, 0]);
  });

  it('mixes two neighbours to the mean of what lies between them', () => {
    const rgba = new Uint8ClampedArray(16 * 16 * 4).fill(102);
    const palette = [
      [100, 100, 100],
      [104, 104, 104],
    ];
    const indices = ditherToPalette(rgba, 16, palette);
    const share = indices.reduce((sum, index) => sum + index, 0) / indices.length;
    expect(share).toBeGreaterThan(0.3);
    expect(share).toBeLessThan(0.7);
  });
});

describe('encode, GIF', () => {
  it('writes every frame with its delay, size and an endless loop', async () => {
    const seen: number[] = [];
    const { file, extension } = await encode(clip(5), 'gif', { onFrame: (frame) => seen.push(frame) });
    const bytes = new Uint8Array(await file.arrayBuffer());
    expect(new TextDecoder().decode(bytes.subarray(0, 6))).toBe('GIF89a');
    expect([bytes[6], bytes[8]]).toEqual([8, 6]);
    expect(delaysOf(bytes)).toEqual(frameDelays(5, 16));
    expect(new TextDecoder('latin1').decode(bytes)).toContain('NETSCAPE2.0');
    expect(bytes.at(-1)).toBe(0x3b);
    expect(seen).toEqual([1, 2, 3, 4, 5]);
    expect(extension).toBe('gif');
  });

  it('stops when aborted before', async () => {
    const signal = AbortSignal.abort();
    await expect(encode(clip(2), 'gif', { signal })).rejects.toMatchObject({ name: 'AbortError' });
  });

  it('refuses pixels that are not the size they claim', async () => {
    const bad = { ...clip(2), frames: 3 };
    await expect(encode(bad, 'gif')).rejects.toMatchObject({ code: 'encoding-failed', retry: false });
  });
});

describe('without WebCodecs, as in Node', () => {
  it('offers GIF only', async () => {
    expect(await support()).toEqual(['gif']);
  });

  it.each(['mp4', 'webm'] as const)('says that %s needs WebCodecs and what to choose', async (format) => {
    await expect(encode(clip(2), format)).rejects.toThrow(/no WebCodecs. Choose GIF/);
  });
});
