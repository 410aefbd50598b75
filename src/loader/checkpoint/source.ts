/**
 * Bytes that are read by slices: a file of several GB is never held as a whole. A `Blob` covers a file that the
 * visitor picked (`File`); scripts/fileSource.ts reads files of a disk in Node.
 */

export interface ByteSource {
  /** In bytes. */
  readonly size: number;
  /** The bytes [offset, offset + length), in a buffer of their own; throws when they are not all there. */
  read(offset: number, length: number): Promise<Uint8Array<ArrayBuffer>>;
}

export function blobSource(blob: Blob): ByteSource {
  return {
    size: blob.size,
    async read(offset, length) {
      checkRange(offset, length, blob.size);
      return new Uint8Array(await blob.slice(offset, offset + length).arrayBuffer());
    },
  };
}

/** Throws CheckpointError unless [offset, offset + length) lies in a file of `size` bytes. */
export function checkRange(offset: number, length: number, size: number): void {
  const whole = Number.isSafeInteger(offset) && Number.isSafeInteger(length);
  if (!whole || offset < 0 || length < 0 || offset + length > size) {
    throw new CheckpointError(
      `bytes ${offset} to ${offset + length} are wanted, but the file ends at ${size}; it is cut short or damaged`,
    );
  }
}

/** What is wrong with a checkpoint, in words for the person who chose it. */
export class CheckpointError extends Error {
  override readonly name = 'CheckpointError';

  constructor(
    /** What was found, where, and what was expected; a clause that "it" or "its" begins. */
    readonly what: string,
    readonly file?: string,
  ) {
    super(`${file ?? 'This checkpoint'} cannot be read: ${what}.`);
  }
}

/** Runs `read`, and names the file in the CheckpointError that it throws. */
export async function inFile<T>(file: string | undefined, read: () => Promise<T> | T): Promise<T> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof CheckpointError && error.file === undefined)
      throw new CheckpointError(error.what, file);
    throw error;
  }
}
