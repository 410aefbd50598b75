/**
 * How much memory a model takes on a device, and whether it fits, from its manifest alone: asked before weights are
 * fetched and before a clip is begun. Bounds, not measurements; what a graphics card has in all no page can know, so
 * that on WebGPU only the sizes of single buffers are held against limits.
 */
import { downsampleOf, type ModelConfig } from '../config/model';
import type { Manifest } from '../loader';
import { rowsAndColumns, scalesOf, sizeOf, storedBytes, type TensorEntry } from '../loader/manifest';
import { UNUSED_GPU_BYTES } from '../model/predictCodes';
import { rowsAtOnce } from '../model/rowPieces';
import { LOGIT_BYTES } from '../model/transformer';

export interface DeviceLimits {
  readonly backend: 'webgpu' | 'wasm' | 'cpu';
  /** Of one buffer, and of what a kernel sees of it (WebGPU): the smaller one. */
  readonly bufferBytes?: number;
}

export interface MemoryPlan {
  /** On the device, as it keeps them. */
  readonly weights: number;
  /** The transformer's streams at the clip's length, pieces of rows on their way, and one chunk of logits. */
  readonly transformer: number;
  /** What the decoder holds while it makes one latent frame after the other. */
  readonly decoder: number;
  /** Weights and the larger one of the two. */
  readonly total: number;
  /** The largest single buffer. */
  readonly largest: { readonly what: string; readonly bytes: number };
}

/** The model does not fit this device; the message says what would. */
export class DoesNotFitError extends Error {
  override readonly name = 'DoesNotFitError';
}

/** Pointers of WebAssembly are 32 bits wide; a tenth is left to fragmentation. */
const WASM_BYTES = 0.9 * 2 ** 32;
/**
 * Tensors [tokens, C] that there are at once: contexts and targets, which a block overwrites in place; with dense blocks
 * the keys and values of all of them, too.
 */
const STREAMS = 1;
const DENSE_STREAMS = 3;
/** Of pieces of rows (model/rowPieces.ts): what is made of them on the way, in activations [rows, C] and [rows, 4C]. */
const PIECES = 6;
const HIDDEN_PIECES = 3;
/** What else may be held: scores of attention, or on WebGPU buffers for reuse (model/predictCodes.ts). */
const ASIDE_BYTES = { webgpu: UNUSED_GPU_BYTES, others: 16 * 2 ** 20 } as const;

/** @param latentFrames T' of the clip */
export function planMemory(manifest: Manifest, device: DeviceLimits, latentFrames: number): MemoryPlan {
  const weights = manifest.tensors.filter(isUploaded).map((entry) => ({
    what: entry.name,
    bytes: bytesOnDevice(entry, device),
  }));
  const transformer = transformerBuffers(manifest.model, device, latentFrames);
  const decoder = decoderBuffers(manifest.model, latentFrames);
  const all = [...weights, transformer.largest, decoder.largest];
  const weightBytes =
    weights.reduce((sum, { bytes }) => sum + bytes, 0) + copiesOnDevice(manifest.tensors, device);
  return {
    weights: weightBytes,
    transformer: transformer.bytes,
    decoder: decoder.bytes,
    total: weightBytes + Math.max(transformer.bytes, decoder.bytes),
    largest: all.reduce((most, buffer) => (buffer.bytes > most.bytes ? buffer : most)),
  };
}

/**
 * @param frames of the clip; the shortest one when left out, which is what loading needs
 * @throws DoesNotFitError with a sentence that says which length or storage would fit
 */
export function checkFits(manifest: Manifest, device: DeviceLimits, frames?: number): void {
  const perLatent = downsampleOf(manifest.model.tokenizer)[0];
  const wanted = frames === undefined ? 1 : Math.min(manifest.model.grid[0], Math.ceil(frames / perLatent));
  const problem = problemOf(planMemory(manifest, device, wanted), device);
  if (!problem) return;
  for (let shorter = wanted - 1; shorter >= 1; shorter--) {
    if (problemOf(planMemory(manifest, device, shorter), device)) continue;
    const advice = `A clip of ${shorter * perLatent} frames fits: change the length.`;
    throw new DoesNotFitError(`${manifest.name} at ${wanted * perLatent} frames ${problem}. ${advice}`);
  }
  throw new DoesNotFitError(`${manifest.name} ${problem}. ${otherStorage(manifest, device)}`);
}

function problemOf(plan: MemoryPlan, { backend, bufferBytes }: DeviceLimits): string | null {
  if (backend === 'wasm' && plan.total > WASM_BYTES) {
    return `needs ${gigabytes(plan.total)} of memory as float32, and WebAssembly has ${gigabytes(WASM_BYTES)}`;
  }
  if (backend === 'webgpu' && bufferBytes !== undefined && plan.largest.bytes > bufferBytes) {
    const { what, bytes } = plan.largest;
    return `needs a buffer of ${gigabytes(bytes)} (${what}), and this graphics card allows ${gigabytes(bufferBytes)}`;
  }
  return null;
}

/** Where the weights themselves are too large. */
function otherStorage(manifest: Manifest, device: DeviceLimits): string {
  const fitting = (['int8', 'int4'] as const).find((dtype) => {
    const tensors = manifest.tensors.map((entry) =>
      isMatrix(entry) && !entry.scale ? { ...entry, dtype, group: 64, scale: entry } : entry,
    );
    return !problemOf(planMemory({ ...manifest, tensors }, device, 1), device);
  });
  if (device.backend === 'webgpu' && fitting)
    return `Stored as ${fitting} it fits: convert it again that way.`;
  return device.backend === 'wasm'
    ? 'With WebGPU its weights stay packed: open the page in a browser and on a machine that have it.'
    : 'No storage of it fits: choose a smaller model, or another machine.';
}

/** The encoder stays behind: a generation does not need it. */
const isUploaded = ({ name }: TensorEntry): boolean => !/^tokenizer\.(encoder|preQuantization)\./.test(name);

/** What the transformer's kernels read packed. */
const isMatrix = ({ name, shape }: TensorEntry): boolean =>
  name.startsWith('transformer.') && shape.length === 2 && name !== 'transformer.latentTokens';

/** What linear layers multiply by (embedding tables are read by rows), XNNPACK keeps a second time, in its own order. */
function copiesOnDevice(tensors: readonly TensorEntry[], { backend }: DeviceLimits): number {
  if (backend !== 'wasm') return 0;
  const linear = tensors.filter((entry) => isMatrix(entry) && entry.name.endsWith('.weight'));
  return linear.reduce((sum, { shape }) => sum + 4 * sizeOf(shape), 0);
}

function bytesOnDevice(entry: TensorEntry, { backend }: DeviceLimits): number {
  if (backend !== 'webgpu' || !entry.scale || !isMatrix(entry)) return 4 * sizeOf(entry.shape);
  const [rows, columns] = rowsAndColumns(entry.shape);
  const packed = entry.dtype === 'int8' ? 4 * rows * Math.ceil(columns / 4) : storedBytes(entry);
  return packed + 4 * scalesOf(entry);
}

interface Buffers {
  readonly bytes: number;
  readonly largest: { readonly what: string; readonly bytes: number };
}

function transformerBuffers(
  { transformer, grid }: ModelConfig,
  { backend }: DeviceLimits,
  latentFrames: number,
): Buffers {
  const kind = backend === 'webgpu' ? 'webgpu' : 'others';
  const tokens = latentFrames * grid[1] * grid[2];
  const { width, latentTokens, vocabulary, modes } = transformer;
  const rows = rowsAtOnce(width, tokens, 1, kind);
  const of = (count: number, channels: number): number => 4 * count * channels;
  const stream = of(tokens, width);
  const latents = of(latentTokens, width);
  const attended = of(Math.min(rows.attention, tokens + latentTokens), width);
  const hidden = of(Math.min(rows.hidden, tokens + latentTokens), 4 * width);
  const logits = Math.min(LOGIT_BYTES[kind], of(tokens, vocabulary));
  const dense = modes.includes('maskgit');
  const streams = (dense ? DENSE_STREAMS : STREAMS) * stream + PIECES * latents;
  const aside = Math.min(ASIDE_BYTES[kind], 4 * (stream + latents));
  const bytes = streams + PIECES * attended + HIDDEN_PIECES * hidden + logits + aside;
  const largest = Math.max(stream, latents, hidden, logits);
  return { bytes, largest: { what: 'activations of the transformer', bytes: largest } };
}

/** Frames beyond the newest latent frame's that a layer with a kernel of 3 still reads. */
const HALO = 2;

function decoderBuffers({ tokenizer, grid }: ModelConfig, latentFrames: number): Buffers {
  let [frames, rows, columns] = [1, grid[1], grid[2]];
  let [bytes, most] = [0, 0];
  for (const { stride, channels, residualBlocks } of tokenizer.decoder) {
    frames *= stride[0];
    rows *= stride[1];
    columns *= stride[2];
    // Group norms look at the whole clip, so that it is decoded at once.
    const held =
      tokenizer.norm === 'group' ? frames * latentFrames : Math.min(frames * latentFrames, frames + HALO);
    const buffer = 4 * held * rows * columns * channels;
    // A buffer before each layer that looks along time: after the up-convolution, and four a residual block.
    bytes += tokenizer.norm === 'group' ? 0 : buffer * (1 + 4 * residualBlocks);
    most = Math.max(most, buffer);
  }
  // Padded input, pieces, result and copies of the layer that runs.
  return { bytes: bytes + 8 * most, largest: { what: 'a layer of the decoder', bytes: most } };
}

function gigabytes(bytes: number): string {
  return bytes >= 1e9 ? `${(bytes / 1e9).toFixed(1)} GB` : `${Math.ceil(bytes / 1e6)} MB`;
}
