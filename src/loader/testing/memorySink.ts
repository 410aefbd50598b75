/** A converted model in memory, for tests of small ones. */
import type { CheckpointFile } from '../checkpoint/open';
import {
  type ConversionOptions,
  type ConversionPlan,
  type ConversionResult,
  type ConvertOptions,
  convert,
  type ModelSink,
  planConversion,
} from '../convert';

export class MemorySink implements ModelSink {
  readonly shards: ArrayBuffer[] = [];
  readonly files = new Map<string, Uint8Array<ArrayBuffer>>();
  text: string | undefined;

  async shard(file: string, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    if (this.text !== undefined) throw new Error(`The shard ${file} came after the manifest.`);
    this.shards.push(bytes.buffer);
    this.files.set(file, bytes);
  }

  async manifest(text: string): Promise<void> {
    this.text = text;
  }
}

export interface Converted extends ConversionResult {
  readonly plan: ConversionPlan;
  readonly sink: MemorySink;
}

/** Plans and converts. @throws Error where the files do not say everything */
export async function convertInMemory(
  files: readonly CheckpointFile[],
  options: ConversionOptions & ConvertOptions,
): Promise<Converted> {
  const inspection = await planConversion(files, options);
  if (inspection.kind === 'needs') {
    throw new Error(`The conversion needs ${inspection.needs.map(({ what }) => what).join(', ')}.`);
  }
  const sink = new MemorySink();
  const steps = convert(inspection.plan, sink, options);
  let step = await steps.next();
  while (!step.done) step = await steps.next();
  return { ...step.value, plan: inspection.plan, sink };
}
