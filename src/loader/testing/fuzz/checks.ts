/**
 * What the fuzz test does with a file, and what it holds against it: values that are whole, errors that are typed and say
 * something, array buffers that stay below four times the file. The heap and the time are the watchdog's affair.
 */
import {
  type ByteSource,
  CheckpointError,
  checkRange,
  openSafetensors,
  openTorchFile,
  StoredTensor,
} from '../../checkpoint';
import { openCheckpoint } from '../../checkpoint/open';
import { settingsOf } from '../../checkpoint/settings';
import { convert, planConversion } from '../../convert';
import { LoadError } from '../../errors';
import { parseManifest, sizeOf } from '../../manifest';
import { MemorySink } from '../memorySink';
import { AllocationCounter } from './allocations';

export type Bytes = Uint8Array<ArrayBuffer>;

/** Files below this count as this long, in bytes: the zip reader looks at the last 64 KiB in one piece. */
const LEAST_SIZE = 16 * 1024;

export const counter = new AllocationCounter();

export function memorySource(bytes: Bytes): ByteSource {
  return {
    size: bytes.length,
    async read(offset, length) {
      checkRange(offset, length, bytes.length);
      counter.bytes += length;
      return bytes.slice(offset, offset + length);
    },
  };
}

/** @throws Error where more than four times the file was allocated since the last call */
export function checkAllocations(fileSize: number, what: string): void {
  const limit = 4 * Math.max(fileSize, LEAST_SIZE);
  if (counter.bytes > limit)
    throw new Error(`${what} allocated ${counter.bytes} bytes, the file has ${fileSize}`);
  counter.reset();
}

/** Runs one mutant. @throws Error for anything but success and the two typed errors, or a message that says little */
export async function survives(run: () => Promise<void>): Promise<'read' | 'refused'> {
  counter.reset();
  try {
    await run();
    return 'read';
  } catch (error) {
    if (!(error instanceof CheckpointError || error instanceof LoadError)) throw error;
    if (error.message.length < 40 || /\bundefined\b|\[object|Cannot read prop/.test(error.message)) {
      throw new Error(`a message that does not help: ${error.message}`);
    }
    return 'refused';
  }
}

/** A file of torch.save: its settings, and every tensor anywhere in it. */
export async function openAndRead(bytes: Bytes): Promise<void> {
  const saved = await openTorchFile(memorySource(bytes));
  checkAllocations(bytes.length, 'opening');
  settingsOf(saved);
  const seen = new Set<unknown>();
  const waiting = [saved];
  while (waiting.length > 0) {
    const next = waiting.pop();
    if (typeof next !== 'object' || next === null || seen.has(next)) continue;
    seen.add(next);
    if (next instanceof StoredTensor) await readTensor(next, bytes.length);
    else if (next instanceof Map) for (const item of next.values()) waiting.push(item);
    else if (Array.isArray(next)) for (const item of next) waiting.push(item);
  }
}

async function readTensor(tensor: StoredTensor, fileSize: number): Promise<void> {
  const values = await tensor.read();
  if (values.length !== sizeOf(tensor.shape))
    throw new Error(`a tensor [${tensor.shape}] has ${values.length} values`);
  checkAllocations(fileSize, `a tensor [${tensor.shape}]`);
}

export async function readSafetensors(bytes: Bytes): Promise<void> {
  const tensors = await openSafetensors(memorySource(bytes));
  checkAllocations(bytes.length, 'opening');
  for (const tensor of tensors.values()) await readTensor(tensor, bytes.length);
}

const NAME = 'mutant.ckpt';

/** What a person reads must begin with the file that they chose. */
async function namingTheFile<T>(run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    if (error instanceof CheckpointError && !error.message.startsWith(NAME))
      throw new Error(`a message without the file: ${error.message}`);
    throw error;
  }
}

/** As the page and the command line open it, whatever it is. */
export async function openAny(bytes: Bytes): Promise<void> {
  await namingTheFile(() => openCheckpoint({ name: NAME, source: memorySource(bytes) }));
  checkAllocations(bytes.length, 'opening a checkpoint');
}

/** A conversion that ends well ends in a manifest that the loader takes, and in as many values as it announces. */
export const convertAll = (bytes: Bytes): Promise<void> => namingTheFile(() => convertWhole(bytes));

async function convertWhole(bytes: Bytes): Promise<void> {
  const source = memorySource(bytes);
  const inspection = await planConversion([{ name: NAME, source }], { quantization: 'int8' });
  checkAllocations(bytes.length, 'planning');
  if (inspection.kind === 'needs') {
    if (inspection.needs.length === 0) throw new Error('something is needed, and nothing is named');
    return;
  }
  const sink = new MemorySink();
  for await (const { doneBytes, totalBytes } of convert(inspection.plan, sink)) {
    if (doneBytes > totalBytes) throw new Error(`${doneBytes} of ${totalBytes} bytes are done`);
    checkAllocations(bytes.length, 'a step of the conversion');
  }
  const { parameters } = await parseManifest(sink.text ?? '', 'mutant');
  if (parameters !== inspection.plan.parameters)
    throw new Error(`the manifest says ${parameters} parameters`);
}
