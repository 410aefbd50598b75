/**
 * Checkpoints that the visitor opened, converted in the worker and kept on this machine. Files are read by slices, and
 * each shard is written as it fills: memory holds one tensor and one shard.
 */
import { blobSource, type CheckpointFile } from '../loader/checkpoint';
import {
  bytesStored,
  type ConversionOptions,
  type ConversionPlan,
  type ConversionResult,
  type Inspection as CoreInspection,
  convert,
  planConversion,
  QUANTIZATIONS,
  reportText,
  storageOf,
} from '../loader/convert';
import { Library, type Shelf } from '../loader/library';
import { memoryFigures, type PlannedModel } from '../pipeline/memory';
import { figuresOf, keptEntry } from './models';
import type { ConversionWish, Device, Inspection, ModelEntry, Quantization } from './protocol';

/** @throws CheckpointError with a sentence */
export async function inspect(
  files: readonly File[],
  wish: ConversionWish,
  device: Device | null,
): Promise<Inspection> {
  const inspection = await plan(files, wish);
  if (inspection.kind === 'needs') return inspection;
  return {
    kind: 'ready',
    facts: figuresOf(inspection.plan),
    sizes: sizesOf(inspection.plan),
    memory: device && byQuantization((kind) => memoryFigures(storedAs(inspection.plan, kind), device)),
    sampling: inspection.plan.sampling,
    missing: inspection.plan.missing,
    report: reportText(inspection.plan),
  };
}

export interface ConvertAndKeepOptions {
  readonly signal: AbortSignal;
  readonly onProgress: (doneBytes: number, totalBytes: number) => void;
}

/** @throws CheckpointError, LoadError `storage-full` or `no-storage`; the signal's reason once aborted */
export async function convertAndKeep(
  files: readonly File[],
  wish: ConversionWish,
  { signal, onProgress }: ConvertAndKeepOptions,
): Promise<{ model: ModelEntry; report: string }> {
  const library = await Library.open();
  const inspection = await plan(files, wish);
  signal.throwIfAborted();
  if (inspection.kind === 'needs') {
    throw new Error(`The conversion needs ${inspection.needs.map(({ what }) => what).join(', ')}.`);
  }
  const { hash, result: report } = await library.keep(async (shelf) => {
    const result = await drive(inspection.plan, shelf, signal, onProgress);
    const text = reportText(inspection.plan, result);
    await shelf.report(text);
    signal.throwIfAborted();
    return text;
  });
  const kept = (await library.list()).find(({ manifest }) => manifest.sha256 === hash);
  if (!kept) throw new Error(`The model ${hash} was converted, but cannot be read again.`);
  return { model: keptEntry(kept, null), report };
}

async function drive(
  planned: ConversionPlan,
  shelf: Shelf,
  signal: AbortSignal,
  onProgress: ConvertAndKeepOptions['onProgress'],
): Promise<ConversionResult> {
  const steps = convert(planned, shelf, { signal });
  for (let step = await steps.next(); ; step = await steps.next()) {
    if (step.done) return step.value;
    onProgress(step.value.doneBytes, step.value.totalBytes);
  }
}

function plan(
  files: readonly File[],
  { quantization, name, license, answers }: ConversionWish,
): Promise<CoreInspection> {
  const options: ConversionOptions = {
    quantization,
    answers,
    ...(name ? { name } : {}),
    ...(license ? { license } : {}),
  };
  return planConversion(files.map(checkpointFile), options);
}

const checkpointFile = (file: File): CheckpointFile => ({ name: file.name, source: blobSource(file) });

function sizesOf(planned: ConversionPlan): Record<Quantization, number> {
  return byQuantization((kind) =>
    storedAs(planned, kind).tensors.reduce(
      (sum, { shape, ...storage }) => sum + bytesStored(shape, storage),
      0,
    ),
  );
}

function storedAs({ name, model, tensors }: ConversionPlan, kind: Quantization): PlannedModel {
  const stored = tensors.map(({ recipe: { name, shape } }) => ({
    name,
    shape,
    ...storageOf(name, shape, kind),
  }));
  return { name, model, tensors: stored };
}

function byQuantization<T>(of: (kind: Quantization) => T): Record<Quantization, T> {
  return Object.fromEntries(QUANTIZATIONS.map((kind) => [kind, of(kind)])) as Record<Quantization, T>;
}
