/**
 * How much memory a model takes on a device, and whether it fits, from its manifest alone: asked before weights are
 * fetched and before a clip is begun. Bounds, not measurements; what a graphics card has in all no page can know, so
 * that on WebGPU only the sizes of single buffers are held against limits.
 */
import { lengthsOf, type ModelConfig } from '../config/model';
import type { Manifest } from '../loader';
import { rowsAndColumns, scalesOf, sizeOf, storedBytes, type TensorEntry } from '../loader/manifest';
import { UNUSED_GPU_BYTES } from '../model/predictCodes';
import { rowsAtOnce } from '../model/rowPieces';
import { LOGIT_BYTES } from '../model/transformer';
import type { MemoryFigures } from '../worker/protocol';
import { type Buffers, decoderBuffers } from './decoderMemory';

export interface DeviceLimits {
  readonly backend: 'webgpu' | 'wasm' | 'cpu';
  /** Of one buffer, and of what a kernel sees of it (WebGPU): the smaller one. */
  readonly bufferBytes?: number;
}

/** Of a manifest, or of a plan to make one. */
export interface PlannedModel extends Pick<Manifest, 'name' | 'model'> {
  readonly tensors: readonly StoredTensor[];
}
export type StoredTensor = Pick<TensorEntry, 'name' | 'shape' | 'dtype' | 'group'>;

export interface MemoryPlan {
  /** On the device, as it keeps them. */
  readonly weights: number;
  /** The transformer's streams at the clip's length, what guides it, pieces of rows on their way, one chunk of logits. */
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
 * Tensors [tokens, C] that there are at once: contexts and targets, which a block overwrites in place, and what guidance
 * compares with; with dense blocks the keys and values of all of them, too.
 */
const STREAMS = 2;
const DENSE_STREAMS = 4;
/** Of pieces of rows (model/rowPieces.ts): what is made of them on the way, in activations [rows, C] and [rows, 4C]. */
const PIECES = { webgpu: 4, wasm: 6, cpu: 6 } as const;
const HIDDEN_PIECES = { webgpu: 1, wasm: 3, cpu: 5 } as const;
/** Of scores [heads, queries, keys], which only the cpu backend's plain attention holds all of. */
const SCORES = 4;
/** What else may be held: scores of attention, or on WebGPU buffers for reuse (model/predictCodes.ts). */
const ASIDE_BYTES = { webgpu: UNUSED_GPU_BYTES, others: 16 * 2 ** 20 } as const;

/** @param latentFrames T' of the clip */
export function planMemory(manifest: PlannedModel, device: DeviceLimits, latentFrames: number): MemoryPlan {
  const weights = manifest.tensors.filter(isUploaded).map((entry) => ({
    what: entry.name,
    bytes: bytesOnDevice(entry, device),
  }));
  const transformer = transformerBuffers(manifest.model, device, latentFrames);
  const decoder = decoderBuffers(manifest.model, manifest.tensors, device.backend, latentFrames);
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
export function checkFits(model: PlannedModel, device: DeviceLimits, frames?: number): void {
  const { framesPerLatent } = lengthsOf(model.model);
  const wanted = frames === undefined ? 1 : Math.ceil(frames / framesPerLatent);
  const problem = problemOf(planMemory(model, device, wanted), device);
  if (!problem) return;
  const fitting = longestThatFits(model, device, wanted) * framesPerLatent;
  if (fitting === 0) throw new DoesNotFitError(`${model.name} ${problem}. ${otherStorage(model, device)}`);
  const advice = `A clip of ${fitting} frames fits: change the length.`;
  throw new DoesNotFitError(`${model.name} at ${wanted * framesPerLatent} frames ${problem}. ${advice}`);
}

/** Latent frames, up to `most`; 0 where no clip fits. */
function longestThatFits(model: PlannedModel, device: DeviceLimits, most: number): number {
  const fits = (length: number): boolean => !problemOf(planMemory(model, device, length), device);
  if (fits(most)) return most;
  let [fitting, tooLong] = [0, most];
  while (tooLong - fitting > 1) {
    const between = Math.floor((fitting + tooLong) / 2);
    if (fits(between)) fitting = between;
    else tooLong = between;
  }
  return fitting;
}

/** What a visitor is shown of the plan on this device. */
export function memoryFigures(model: PlannedModel, device: DeviceLimits): MemoryFigures {
  const { framesPerLatent, ownFrames, mostFrames } = lengthsOf(model.model);
  const frames = longestThatFits(model, device, mostFrames / framesPerLatent) * framesPerLatent;
  const peakFrames = Math.min(ownFrames, frames || framesPerLatent);
  const { weights, total } = planMemory(model, device, peakFrames / framesPerLatent);
  const limit = device.backend === 'wasm' ? WASM_BYTES : null;
  return { weights, peak: total, peakFrames, limit, frames, problem: sentenceOf(model, device, ownFrames) };
}

function sentenceOf(model: PlannedModel, device: DeviceLimits, frames: number): string | null {
  try {
    checkFits(model, device, frames);
    return null;
  } catch (error) {
    if (error instanceof DoesNotFitError) return error.message;
    throw error;
  }
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
function otherStorage(manifest: PlannedModel, device: DeviceLimits): string {
  const fitting = (['int8', 'int4'] as const).find((dtype) => {
    const tensors = manifest.tensors.map((entry) =>
      isMatrix(entry) && !isQuantized(entry) ? { ...entry, dtype, group: 64 } : entry,
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
const isUploaded = ({ name }: StoredTensor): boolean => !/^tokenizer\.(encoder|preQuantization)\./.test(name);

const isQuantized = ({ dtype }: StoredTensor): boolean => dtype === 'int8' || dtype === 'int4';

/** What the transformer's kernels read packed. */
const isMatrix = ({ name, shape }: StoredTensor): boolean =>
  name.startsWith('transformer.') && shape.length === 2 && !TABLES.has(name);

/** Read as float32. */
const TABLES: ReadonlySet<string> = new Set(['transformer.latentTokens', 'transformer.traitEmbedding']);

/** What linear layers multiply by (embedding tables are read by rows), XNNPACK keeps a second time, in its own order. */
function copiesOnDevice(tensors: readonly StoredTensor[], { backend }: DeviceLimits): number {
  if (backend !== 'wasm') return 0;
  const linear = tensors.filter((entry) => isMatrix(entry) && entry.name.endsWith('.weight'));
  return linear.reduce((sum, { shape }) => sum + 4 * sizeOf(shape), 0);
}

function bytesOnDevice(entry: StoredTensor, { backend }: DeviceLimits): number {
  if (backend !== 'webgpu' || !isQuantized(entry) || !isMatrix(entry)) return 4 * sizeOf(entry.shape);
  const [rows, columns] = rowsAndColumns(entry.shape);
  const packed = entry.dtype === 'int8' ? 4 * rows * Math.ceil(columns / 4) : storedBytes(entry);
  return packed + 4 * scalesOf(entry.dtype === 'int8' ? { shape: entry.shape } : entry);
}

function transformerBuffers(
  { transformer, grid }: ModelConfig,
  { backend }: DeviceLimits,
  latentFrames: number,
): Buffers {
  const kind = backend === 'webgpu' ? 'webgpu' : 'others';
  const tokens = Math.min(latentFrames, grid[0]) * grid[1] * grid[2]; // longer clips go window by window
  const { width, latentTokens, vocabulary, modes } = transformer;
  const rows = rowsAtOnce(width, tokens, 1, kind);
  const of = (count: number, channels: number): number => 4 * count * channels;
  const stream = of(tokens, width);
  const latents = of(latentTokens, width);
  const attended = of(Math.min(rows.attention, tokens + latentTokens), width);
  const hidden = of(Math.min(rows.hidden, tokens + latentTokens), 4 * width);
  const logits = Math.min(LOGIT_BYTES[kind], of(tokens, vocabulary));
  const dense = modes.includes('maskgit');
  const streams = (dense ? DENSE_STREAMS : STREAMS) * stream + PIECES[backend] * latents;
  const aside = Math.min(ASIDE_BYTES[kind], 4 * (stream + latents));
  const keys = dense ? tokens : latentTokens;
  const queries = Math.min(rows.attention, dense ? tokens + latentTokens : tokens);
  const scores = backend === 'cpu' ? SCORES * of(queries, keys * transformer.heads) : 0;
  const pieces = scores + PIECES[backend] * attended + HIDDEN_PIECES[backend] * hidden;
  // Between two blocks the targets that are asked for are cut from all that are masked: at most one stream more.
  const bytes = streams + Math.max(pieces, stream) + logits + aside;
  const largest = Math.max(stream, latents, hidden, logits);
  return { bytes, largest: { what: 'activations of the transformer', bytes: largest } };
}

function gigabytes(bytes: number): string {
  return bytes >= 1e9 ? `${(bytes / 1e9).toFixed(1)} GB` : `${Math.ceil(bytes / 1e6)} MB`;
}
