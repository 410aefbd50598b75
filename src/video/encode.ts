/**
 * A finished clip to a file: MP4 and WebM through WebCodecs, GIF without. Runs in the worker; the encoders and
 * the muxing library are fetched when first used. Every file has each frame once, at the clip's size and rate.
 */
import type { ClipData, ClipFormat } from '../worker/protocol';
import { EncodeError } from './errors';

export { EncodeError } from './errors';

export interface EncodeOptions {
  readonly signal?: AbortSignal | undefined;
  /** After each frame that went into the encoder; starts again when another codec is tried. */
  readonly onFrame?: (frame: number, frames: number) => void;
}

export interface EncodedFile {
  readonly file: Blob;
  /** Without a dot. */
  readonly extension: ClipFormat;
  /** As the container names it, e.g. `avc1.42001e`; `gif` for GIF. */
  readonly codec: string;
}

/** The formats that can be written here, best first: MP4 plays nearly everywhere, GIF needs no WebCodecs. */
export async function support(): Promise<readonly ClipFormat[]> {
  if (typeof globalThis.VideoEncoder === 'undefined') return ['gif'];
  const { canWrite } = await import('./webcodecs');
  const formats: ClipFormat[] = [];
  for (const format of ['mp4', 'webm'] as const) if (await canWrite(format)) formats.push(format);
  return [...formats, 'gif'];
}

/**
 * @throws EncodeError; the signal's reason once aborted
 */
export async function encode(
  clip: ClipData,
  format: ClipFormat,
  options: EncodeOptions = {},
): Promise<EncodedFile> {
  checkClip(clip);
  options.signal?.throwIfAborted();
  if (format === 'gif') {
    const { encodeGif } = await import('./gif');
    return { file: await encodeGif(clip, options), extension: 'gif', codec: 'gif' };
  }
  const { encodeWithWebCodecs } = await import('./webcodecs');
  const { file, codec } = await encodeWithWebCodecs(clip, format, options);
  return { file, extension: format, codec };
}

function checkClip({ pixels, frames, width, height, frameRate }: ClipData): void {
  const expected = frames * width * height * 4;
  if (!(frames > 0 && width > 0 && height > 0 && frameRate > 0) || pixels.length !== expected) {
    throw new EncodeError(
      `encode: a clip of ${frames} frames of ${width}×${height} at ${frameRate} per second needs ${expected} bytes of RGBA, got ${pixels.length}.`,
      false,
    );
  }
}
