/** A file of the disk, read by slices. */
import { open } from 'node:fs/promises';
import { type ByteSource, checkRange } from '../src/loader/checkpoint/source';

export interface FileSource extends ByteSource {
  close(): Promise<void>;
}

/** @throws the system's error where the file cannot be opened */
export async function openFileSource(path: string): Promise<FileSource> {
  const file = await open(path, 'r');
  const stat = await file.stat();
  if (!stat.isFile()) {
    await file.close();
    throw new Error(`${path} is not a file.`);
  }
  return {
    size: stat.size,
    async read(offset, length) {
      checkRange(offset, length, stat.size);
      const bytes = new Uint8Array(length);
      let filled = 0;
      while (filled < length) {
        const { bytesRead } = await file.read(bytes, filled, length - filled, offset + filled);
        if (bytesRead === 0) throw new Error(`${path} became shorter while it was read.`);
        filled += bytesRead;
      }
      return bytes;
    },
    close: () => file.close(),
  };
}
