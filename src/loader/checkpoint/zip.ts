/** Where the entries of a zip archive lie in the file. Only stored (uncompressed) entries, which torch.save writes. */
import { configure, Reader, ZipReader } from '@zip.js/zip.js/lib/zip-core.js';
import { type ByteSource, CheckpointError } from './source';

export interface StoredEntry {
  readonly name: string;
  /** In bytes. */
  readonly size: number;
  /** Byte offset of the data in the file. */
  locate(): Promise<number>;
}

const LOCAL_HEADER_BYTES = 30;

/** The central directory: local headers have no sizes here (data descriptors), so they are not trusted with any. */
export async function listZip(source: ByteSource): Promise<StoredEntry[]> {
  configure({ useWebWorkers: false });
  const zip = new ZipReader(new SourceReader(source));
  try {
    const entries = (await zip.getEntries()).filter((entry) => !entry.directory);
    checkEntries(entries, source.size);
    return entries.map((entry) => {
      if (entry.compressionMethod !== 0 || entry.encrypted) {
        throw new CheckpointError(
          `its entry ${entry.filename} is compressed or encrypted; PyTorch stores entries as they are`,
        );
      }
      const { offset, filename, uncompressedSize } = entry;
      return { name: filename, size: uncompressedSize, locate: () => locateData(source, offset) };
    });
  } catch (error) {
    if (error instanceof CheckpointError) throw error;
    throw new CheckpointError(
      `its zip directory is damaged (${error instanceof Error ? error.message : error})`,
    );
  } finally {
    await zip.close();
  }
}

/** Names once, and no more bytes than there are: what overlaps, or lies about its length, could ask for any amount. */
function checkEntries(
  entries: readonly { readonly filename: string; readonly uncompressedSize: number }[],
  size: number,
): void {
  const names = new Set<string>();
  let bytes = 0;
  for (const { filename, uncompressedSize } of entries) {
    if (names.has(filename)) throw new CheckpointError(`its zip archive has two entries ${filename}`);
    names.add(filename);
    bytes += uncompressedSize;
  }
  if (!(bytes <= size)) {
    throw new CheckpointError(
      `the entries of its zip archive have ${bytes} bytes, more than the ${size} of the file; it is cut short or damaged`,
    );
  }
}

/** The data follows the local header's own name and extra field, which differ from the directory's. */
async function locateData(source: ByteSource, header: number): Promise<number> {
  const bytes = await source.read(header, LOCAL_HEADER_BYTES);
  const view = new DataView(bytes.buffer);
  if (view.getUint32(0, true) !== 0x04034b50)
    throw new CheckpointError('an entry of its zip archive has no header');
  return header + LOCAL_HEADER_BYTES + view.getUint16(26, true) + view.getUint16(28, true);
}

/** A ByteSource as zip.js wants it. */
class SourceReader extends Reader<ByteSource> {
  readonly #source: ByteSource;

  constructor(source: ByteSource) {
    super(source);
    this.#source = source;
    this.size = source.size;
  }

  override readUint8Array(offset: number, length: number): Promise<Uint8Array> {
    return this.#source.read(offset, Math.min(length, this.#source.size - offset));
  }
}
