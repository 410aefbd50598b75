/** The safetensors format: a JSON header and raw tensors. Little endian, contiguous. */
import { ITEM_BYTES, safetensorsDtype } from './dtypes';
import { type ByteSource, CheckpointError } from './source';
import { contiguousStride, StoredTensor } from './tensor';

interface HeaderEntry {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly data_offsets: readonly [number, number];
}

/** Headers beyond this are refused, as the reference implementation does. */
const LARGEST_HEADER = 100_000_000;

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
  const tensors = new Map<string, StoredTensor>();
  for (const [name, entry] of Object.entries(parseHeader(text))) {
    if (name === '__metadata__') continue;
    const dtype = safetensorsDtype(entry.dtype);
    const [begin, end] = entry.data_offsets;
    const elements = entry.shape.reduce((product, extent) => product * extent, 1);
    if (end - begin !== elements * ITEM_BYTES[dtype] || begin < 0 || 8 + length + end > source.size) {
      throw new CheckpointError(`its tensor ${name} does not fit its place in the file`);
    }
    const storage = { dtype, length: elements, locate: async () => 8 + length + begin };
    const layout = { shape: entry.shape, stride: contiguousStride(entry.shape), offset: 0 };
    tensors.set(name, new StoredTensor(source, storage, layout));
  }
  return tensors;
}

function parseHeader(text: string): Record<string, HeaderEntry> {
  try {
    return JSON.parse(text) as Record<string, HeaderEntry>;
  } catch {
    throw new CheckpointError('its header is not JSON, so it is no safetensors file, or it is damaged');
  }
}
