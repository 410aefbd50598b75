/** The safetensors format: a JSON header and raw tensors. Little endian, contiguous, without gaps or overlaps. */
import { type Dtype, ITEM_BYTES, safetensorsDtype } from './dtypes';
import { type ByteSource, CheckpointError } from './source';
import { contiguousStride, StoredTensor } from './tensor';

interface HeaderEntry {
  readonly name: string;
  readonly dtype: Dtype;
  readonly shape: readonly number[];
  /** From the end of the header. */
  readonly begin: number;
  readonly end: number;
}

/** Names, types, shapes and places of the tensors, 100 bytes each: more is damage, or meant to exhaust memory. */
const LARGEST_HEADER = 4 * 2 ** 20;

/** Tensors by name, read when they are asked for. Throws CheckpointError. */
export async function openSafetensors(source: ByteSource): Promise<Map<string, StoredTensor>> {
  const prefix = await source.read(0, 8);
  const length = Number(new DataView(prefix.buffer).getBigUint64(0, true));
  if (length > LARGEST_HEADER || 8 + length > source.size) {
    throw new CheckpointError(
      `its header claims ${length} bytes, so it is no safetensors file, or it is cut short`,
    );
  }
  const text = new TextDecoder().decode(await source.read(8, length));
  const entries = Object.entries(parseHeader(text))
    .filter(([name]) => name !== '__metadata__')
    .map(([name, entry]) => parseEntry(name, entry));
  checkPlaces(entries, source.size - 8 - length);
  const tensors = new Map<string, StoredTensor>();
  for (const { name, dtype, shape, begin, end } of entries) {
    const storage = {
      dtype,
      length: (end - begin) / ITEM_BYTES[dtype],
      locate: async () => 8 + length + begin,
    };
    tensors.set(
      name,
      new StoredTensor(source, storage, { shape, stride: contiguousStride(shape), offset: 0 }),
    );
  }
  return tensors;
}

function parseHeader(text: string): object {
  let header: unknown;
  try {
    header = JSON.parse(text);
  } catch {
    header = undefined;
  }
  if (typeof header === 'object' && header !== null && !Array.isArray(header)) return header;
  throw new CheckpointError(
    'its header is not a JSON object, so it is no safetensors file, or it is damaged',
  );
}

function parseEntry(name: string, entry: unknown): HeaderEntry {
  const fields = typeof entry === 'object' && entry !== null ? (entry as Record<string, unknown>) : {};
  const { dtype: type, shape, data_offsets: offsets } = fields;
  if (typeof type !== 'string' || !areWhole(shape) || !areWhole(offsets) || offsets.length !== 2) {
    throw new CheckpointError(
      `its tensor ${name} must have a dtype, a shape and two data_offsets of whole numbers from 0 up`,
    );
  }
  const dtype = safetensorsDtype(type);
  const [begin = 0, end = 0] = offsets;
  const bytes = shape.reduce((product, extent) => product * extent, 1) * ITEM_BYTES[dtype];
  if (end - begin !== bytes) {
    throw new CheckpointError(
      `its tensor ${name} has ${end - begin} bytes where ${type} [${shape}] takes ${bytes}: it does not fit its place in the file`,
    );
  }
  return { name, dtype, shape, begin, end };
}

const areWhole = (value: unknown): value is number[] =>
  Array.isArray(value) && value.length <= 16 && value.every((n) => Number.isSafeInteger(n) && n >= 0);

/** As the format demands: the tensors fill the rest of the file, one after the other. */
function checkPlaces(entries: readonly HeaderEntry[], bytes: number): void {
  let at = 0;
  for (const { name, begin, end } of [...entries].sort((a, b) => a.begin - b.begin || a.end - b.end)) {
    if (begin !== at || end > bytes) {
      throw new CheckpointError(
        `its tensor ${name} does not fit its place in the file: it takes bytes ${begin} to ${end} of ${bytes}, where it should begin at ${at}`,
      );
    }
    at = end;
  }
  if (at !== bytes) {
    throw new CheckpointError(`its tensors end at byte ${at} of its data, which has ${bytes}`);
  }
}
