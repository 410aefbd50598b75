/**
 * Bytes that are read by slices: a file of several GB is never held as a whole. A `Blob` covers both a file the
 * visitor picked (`File`) and, in Node, `fs.openAsBlob`.
 */

export interface ByteSource {
  /** In bytes. */
  readonly size: number;
  /** The bytes [offset, offset + length); throws when they are not all there. */
  read(offset: number, length: number): Promise<Uint8Array<ArrayBuffer>>;
}

export function blobSource(blob: Blob): ByteSource {
  return {
    size: blob.size,
    async read(offset, length) {
      if (offset < 0 || offset + length > blob.size) {
        throw new CheckpointError(
          `bytes ${offset} to ${offset + length} are wanted, but the file ends at ${blob.size}; it is cut short or damaged`,
        );
      }
      return new Uint8Array(await blob.slice(offset, offset + length).arrayBuffer());
    },
  };
}

/** What is wrong with a checkpoint, in words for the person who chose it. */
export class CheckpointError extends Error {
  override readonly name = 'CheckpointError';

  constructor(what: string) {
    super(`This checkpoint cannot be read: ${what}.`);
  }
}
