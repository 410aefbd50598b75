/**
 * The conversion itself: reads a planned model tensor by tensor, stores each as planned, and writes the manifest
 * last. Runs in the worker and in Node; where the result goes is the sink's affair. Memory holds one tensor (read,
 * moved into our layout, quantized) and one shard.
 */
import { CheckpointError, inFile } from '../checkpoint/source';
import {
  MANIFEST_FORMAT,
  MANIFEST_VERSION,
  type Manifest,
  manifestHash,
  parseManifest,
  type TensorEntry,
} from '../manifest';
import { fitFlatPreview } from './flatPreview';
import type { ConversionPlan, PlannedTensor } from './plan';
import { type Quantized, quantize } from './quantize';
import { type ModelSink, SHARD_BYTES, ShardWriter } from './shardWriter';

export interface ConversionProgress {
  /** The tensor that was just stored. */
  readonly tensor: string;
  /** Of the shards: stored so far, and in all. */
  readonly doneBytes: number;
  readonly totalBytes: number;
}

export interface UsedTensor {
  readonly name: string;
  readonly file: string;
  /** In the state_dict; empty where the conversion made it. */
  readonly sources: readonly string[];
  readonly shape: readonly number[];
  readonly dtype: Quantized['dtype'];
  readonly bytes: number;
  /** Relative L2 of quantization. */
  readonly error: number;
}

export interface ConversionResult {
  readonly manifest: Manifest;
  readonly used: readonly UsedTensor[];
  /** Root mean square of the preview's fit, or null where the page makes the preview itself. */
  readonly previewError: number | null;
}

export interface ConvertOptions {
  readonly signal?: AbortSignal | undefined;
  /** Bytes of a shard at most; a larger tensor gets a shard of its own. */
  readonly shardBytes?: number;
}

/**
 * @throws CheckpointError when something is missing or damaged; the signal's reason once aborted; what the sink
 * throws. Without its manifest, what the sink got is not a model.
 */
export async function* convert(
  plan: ConversionPlan,
  sink: ModelSink,
  { signal, shardBytes = SHARD_BYTES }: ConvertOptions = {},
): AsyncGenerator<ConversionProgress, ConversionResult, undefined> {
  checkComplete(plan);
  const writer = new ShardWriter(sink, shardBytes);
  const entries: TensorEntry[] = [];
  const used: UsedTensor[] = [];
  let doneBytes = 0;
  for (const planned of plan.tensors) {
    signal?.throwIfAborted();
    const { name, shape, sources } = planned.recipe;
    const stored = await store(planned);
    const bytes = stored.data.length + (stored.scale?.length ?? 0);
    entries.push(await place(writer, name, shape, stored));
    used.push({ name, file: planned.file, sources, shape, dtype: stored.dtype, bytes, error: stored.error });
    doneBytes += planned.bytes;
    yield { tensor: name, doneBytes, totalBytes: plan.bytes };
  }
  signal?.throwIfAborted();
  const previewError = await addPreview(plan, writer, entries);
  signal?.throwIfAborted();
  await writer.flush();
  const text = await manifestText(plan, entries, writer);
  const manifest = await parseManifest(text, plan.name);
  signal?.throwIfAborted();
  await sink.manifest(text);
  return { manifest, used, previewError };
}

function checkComplete({ missing, tensors }: ConversionPlan): void {
  if (missing.length === 0) return;
  const listed = missing.slice(0, 5).join(', ');
  const more = missing.length > 5 ? ` and ${missing.length - 5} more` : '';
  throw new CheckpointError(`its state_dict lacks ${listed}${more}`, tensors[0]?.file);
}

function store({ recipe, file, storage }: PlannedTensor): Promise<Quantized> {
  return inFile(file, async () => {
    const { values } = await recipe.load();
    try {
      return quantize(values, recipe.shape, storage);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      const sources = recipe.sources.join(', ');
      throw new CheckpointError(`its tensor ${sources} holds NaN or infinite values; numbers are expected`);
    }
  });
}

async function place(
  writer: ShardWriter,
  name: string,
  shape: readonly number[],
  { dtype, group, data, scale }: Quantized,
): Promise<TensorEntry> {
  const range = await writer.add(data);
  return {
    name,
    shape,
    dtype,
    ...(group === undefined ? {} : { group }),
    ...range,
    ...(scale ? { scale: await writer.add(scale) } : {}),
  };
}

/** Reads the decoder once more. */
async function addPreview(
  plan: ConversionPlan,
  writer: ShardWriter,
  entries: TensorEntry[],
): Promise<number | null> {
  const recipes = new Map(plan.tensors.map(({ recipe, file }) => [recipe.name, { recipe, file }]));
  const { tokenizer } = plan.model;
  const preview = await fitFlatPreview(tokenizer, async (name) => {
    const found = recipes.get(name);
    if (!found) throw new CheckpointError(`it has no tensor for ${name}`);
    return inFile(found.file, () => found.recipe.load());
  });
  if (!preview || !Number.isFinite(preview.error)) return null;
  const add = async (name: string, shape: readonly number[], values: Float32Array<ArrayBuffer>) => {
    entries.push(await place(writer, name, shape, quantize(values, shape, { dtype: 'float32' })));
  };
  await add('preview.weight', [tokenizer.codeWidth, 3], preview.weight);
  await add('preview.bias', [3], preview.bias);
  return preview.error;
}

async function manifestText(
  plan: ConversionPlan,
  tensors: readonly TensorEntry[],
  { shards }: ShardWriter,
): Promise<string> {
  const zeros = '0'.repeat(64);
  const { name, license, parameters, model } = plan;
  const head = { format: MANIFEST_FORMAT, version: MANIFEST_VERSION, name, license, parameters };
  const text = `${JSON.stringify({ ...head, model, tensors, shards, sha256: zeros }, null, 1)}\n`;
  // At the end of the file: a name of 64 zeros stays a name.
  const at = text.lastIndexOf(zeros);
  return text.slice(0, at) + (await manifestHash(text, zeros)) + text.slice(at + zeros.length);
}
