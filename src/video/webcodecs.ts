/**
 * MP4 and WebM: frames through WebCodecs, muxed by mediabunny. What a browser promises about a codec is not
 * trusted: each is tried on the real clip, and one that throws, stalls or drops frames gives way to the next.
 */
import {
  BufferTarget,
  canEncodeVideo,
  Mp4OutputFormat,
  Output,
  Quality,
  type VideoCodec,
  VideoSample,
  VideoSampleSource,
  WebMOutputFormat,
} from 'mediabunny';
import type { ClipData } from '../worker/protocol';
import type { EncodeOptions } from './encode';
import { EncodeError } from './errors';

type WebCodecsFormat = 'mp4' | 'webm';

/** In the order in which players are likely to have them. */
const CODECS: Readonly<Record<WebCodecsFormat, readonly VideoCodec[]>> = {
  mp4: ['avc', 'hevc', 'vp9', 'av1'],
  webm: ['vp9', 'av1', 'vp8'],
};

/** H.264 and HEVC store 4:2:0 colour and refuse odd sizes; the others pad by themselves. */
const EVEN_SIZES_ONLY: ReadonlySet<VideoCodec> = new Set(['avc', 'hevc']);

/** An encoder that says nothing for so long will never answer. */
const STALL_MS = 15_000;
/** Bits per pixel; small clips get more in all, as grain and stars cost the same at any size. */
const BITS_PER_PIXEL = 0.4;
const LEAST_BITRATE = 1_500_000;
const MOST_BITRATE = 40_000_000;

/** Whether any codec of this format promises to work. Checked at a size that every codec can do. */
export async function canWrite(format: WebCodecsFormat): Promise<boolean> {
  for (const codec of CODECS[format]) {
    if (await canEncodeVideo(codec, { width: 128, height: 128 }).catch(() => false)) return true;
  }
  return false;
}

export async function encodeWithWebCodecs(
  clip: ClipData,
  format: WebCodecsFormat,
  options: EncodeOptions,
): Promise<{ file: Blob; codec: string }> {
  if (typeof globalThis.VideoEncoder === 'undefined') {
    const message = `This browser cannot encode ${format.toUpperCase()}: it has no WebCodecs. Choose GIF, or open the page in a newer browser.`;
    throw new EncodeError(message, false);
  }
  const failures: string[] = [];
  for (const codec of CODECS[format]) {
    try {
      return await encodeWithCodec(clip, format, codec, options);
    } catch (error) {
      if (options.signal?.aborted) throw options.signal.reason;
      failures.push(`${codec}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  const message = `None of this browser's encoders could write ${format.toUpperCase()} (${failures.join('; ')}). Choose another format; GIF always works.`;
  throw new EncodeError(message, true);
}

async function encodeWithCodec(
  clip: ClipData,
  format: WebCodecsFormat,
  codec: VideoCodec,
  options: EncodeOptions,
): Promise<{ file: Blob; codec: string }> {
  const { width, height, frames, frameRate } = clip;
  if (EVEN_SIZES_ONLY.has(codec) && (width % 2 !== 0 || height % 2 !== 0)) {
    throw new Error(`needs an even width and height, got ${width}×${height}`);
  }
  const quality = new Quality({ bitrate: bitrateFor(clip) });
  if (!(await canEncodeVideo(codec, { width, height, quality }))) throw new Error('not supported here');

  let packets = 0;
  let codecString: string = codec;
  const source = new VideoSampleSource({
    codec,
    quality,
    onEncodedPacket: () => {
      packets += 1;
    },
    onEncoderConfig: (config) => {
      codecString = config.codec;
    },
  });
  const target = new BufferTarget();
  const container =
    format === 'mp4' ? new Mp4OutputFormat({ fastStart: 'in-memory' }) : new WebMOutputFormat();
  const output = new Output({ format: container, target });
  output.addVideoTrack(source, { frameRate });
  try {
    await output.start();
    for (let frame = 0; frame < frames; frame += 1) {
      options.signal?.throwIfAborted();
      const sample = sampleOf(clip, frame);
      try {
        await withinTime(source.add(sample));
      } finally {
        sample.close();
      }
      options.onFrame?.(frame + 1, frames);
    }
    await withinTime(output.finalize());
    options.signal?.throwIfAborted();
    if (packets !== frames || !target.buffer) throw new Error(`wrote ${packets} of ${frames} frames`);
    return { file: new Blob([target.buffer], { type: `video/${format}` }), codec: codecString };
  } catch (error) {
    await output.cancel().catch(() => undefined);
    throw error;
  }
}

function bitrateFor({ width, height, frameRate }: ClipData): number {
  const wanted = Math.round(width * height * frameRate * BITS_PER_PIXEL);
  return Math.min(MOST_BITRATE, Math.max(LEAST_BITRATE, wanted));
}

function sampleOf({ pixels, width, height, frameRate }: ClipData, frame: number): VideoSample {
  const bytes = width * height * 4;
  return new VideoSample(pixels.subarray(frame * bytes, (frame + 1) * bytes), {
    // RGBX: the alpha of a clip is 255 everywhere, and some encoders refuse frames that have one.
    format: 'RGBX',
    codedWidth: width,
    codedHeight: height,
    timestamp: frame / frameRate,
    duration: 1 / frameRate,
  });
}

/** Rejects when `work` has not ended in time. */
async function withinTime<T>(work: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`gave no answer for ${STALL_MS / 1000} s`)), STALL_MS);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
