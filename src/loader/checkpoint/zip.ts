/** Where the entries of a zip archive lie in the file. Only stored (uncompressed) entries, which torch.save writes. */
import { configure, type Entry, Reader, ZipReader } from '@zip.js/zip.js/lib/zip-core.js';
import { type ByteSource, CheckpointError } from './source';

export interface StoredEntry {
  readonly name: string;
  /** In bytes. */
  readonly size: number;
  /** Byte offset of the data in the file. */
  locate(): Promise<number>;
}

const LOCAL_HEADER_BYTES = 30;
/** One for each storage: an official checkpoint with its optimizer has 2,000. */
const MOST_ENTRIES = 30_000;

/** The central directory: local headers have no sizes here (data descriptors), so they are not trusted with any. */
export async function listZip(source: ByteSource): Promise<StoredEntry[]> {
  configure({ useWebWorkers: false });
  const zip = new ZipReader(new SourceReader(source));
  try {
    const entries: StoredEntry[] = [];
    // One after the other: what the package keeps of an entry is many times its bytes in the directory.
    for await (const entry of zip.getEntriesGenerator()) {
      if (entry.directory) continue;
      if (entries.length >= MOST_ENTRIES) {
        throw new CheckpointError(`its zip archive has more than ${MOST_ENTRIES} entries`);
      }
      entries.push(storedEntry(source, entry));
    }
    checkEntries(entries, source.size);
    return entries;
  } catch (error) {
    if (error instanceof CheckpointError) throw error;
    throw new CheckpointError(
      `its zip directory is damaged (${error instanceof Error ? error.message : error})`,
    );
  } finally {
    await zip.close();
  }
}

function storedEntry(
  source: ByteSource,
  { filename, uncompressedSize, offset, compressionMethod, encrypted }: Entry,
): StoredEntry {
  if (compressionMethod !== 0 || encrypted) {
    throw new CheckpointError(
      `its entry ${filename} is compressed or encrypted; PyTorch stores entries as they are`,
    );
  }
  return { name: filename, size: uncompressedSize, locate: () => locateData(source, offset) };
}

/** Names once, and no more bytes than there are: what overlaps, or lies about its length, could ask for any amount. */
function checkEntries(entries: readonly StoredEntry[], size: number): void {
  const names = new Set<string>();
  let bytes = 0;
  for (const { name, size: entryBytes } of entries) {
    if (names.has(name)) throw new CheckpointError(`its zip archive has two entries ${name}`);
    names.add(name);
    bytes += entryBytes;
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

/** The longest comment of an archive, and the end records before it. */
const TAIL_BYTES = 65_535 + 22 + 20 + 56;

/** A ByteSource as zip.js wants it. It looks through the end of the file several times, which is read once. */
class SourceReader extends Reader<ByteSource> {
  readonly #source: ByteSource;
  #tail: Promise<Uint8Array> | undefined;

  constructor(source: ByteSource) {
    super(source);
    this.#source = source;
    this.size = source.size;
  }

  override async readUint8Array(offset: number, length: number): Promise<Uint8Array> {
    const { size } = this.#source;
    const end = Math.min(offset + length, size);
    const start = Math.max(0, size - TAIL_BYTES);
    if (!(offset >= start && end >= offset)) return this.#source.read(offset, end - offset);
    this.#tail ??= this.#source.read(start, size - start);
    return (await this.#tail).subarray(offset - start, end - start);
  }
}
