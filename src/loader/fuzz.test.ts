// Damaged and hostile files: each ends in a typed error or in a correct result; none hangs, crashes, or allocates more
// than four times the file. The seed is fixed; FUZZ_FACTOR=10 runs ten times as many, FUZZ_SEED=n others.
import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openWeightCache } from './cache';
import {
  type ByteSource,
  CheckpointError,
  checkRange,
  openSafetensors,
  openTorchFile,
  StoredTensor,
} from './checkpoint';
import { openCheckpoint } from './checkpoint/open';
import { settingsOf } from './checkpoint/settings';
import { convert, planConversion } from './convert';
import { dequantize } from './dequantize';
import { LoadError } from './errors';
import { loadWeights, type Manifest, parseManifest } from './index';
import { sizeOf } from './manifest';
import { AllocationCounter } from './testing/allocations';
import { pickleProgram } from './testing/hostilePickles';
import { convertInMemory, MemorySink } from './testing/memorySink';
import {
  type MicroFiles,
  microFiles,
  SAFETENSORS_DATA,
  SAFETENSORS_HEADER,
  safetensors,
} from './testing/microFiles';
import { SMALL_MODEL, SMALL_TENSORS } from './testing/models';
import { editJson, jsonEdits, mutate, mutations } from './testing/mutations';
import { digest, packModel } from './testing/pack';
import { FakeCache, fakeHost } from './testing/storage';
import { torchZipOf } from './testing/torchWriter';

const SEED = Number(process.env.FUZZ_SEED ?? 20_230_321);
const FACTOR = Number(process.env.FUZZ_FACTOR ?? 1);
/** Of processor time: a busy machine is no hang. */
const MOST_SECONDS = 2;
/** Files below this count as this long, in bytes: the zip reader looks at the last 64 KiB in one piece. */
const LEAST_SIZE = 16 * 1024;

type Bytes = Uint8Array<ArrayBuffer>;

const counter = new AllocationCounter();
let files: MicroFiles;
/** What became of the mutants, for the last test. */
const outcomes = { refused: 0, read: 0 };

beforeAll(async () => {
  files = await microFiles();
  await readAll(await openTorchFile(memorySource(files.zip)), 0); // tables that are made once
  counter.install();
});
afterAll(() => counter.uninstall());

function memorySource(bytes: Bytes): ByteSource {
  return {
    size: bytes.length,
    async read(offset, length) {
      checkRange(offset, length, bytes.length);
      counter.bytes += length;
      return bytes.slice(offset, offset + length);
    },
  };
}

/** What was counted since the last step stays below four times the file. */
function checkAllocations(fileSize: number, what: string): void {
  const limit = 4 * Math.max(fileSize, LEAST_SIZE);
  if (counter.bytes > limit)
    throw new Error(`${what} allocated ${counter.bytes} bytes, the file has ${fileSize}`);
  counter.reset();
}

/** Runs one mutant. Anything but success and the two typed errors is a failure, as is a message that says little. */
async function survives(run: () => Promise<void>): Promise<void> {
  const before = process.cpuUsage();
  counter.reset();
  try {
    await run();
    outcomes.read += 1;
  } catch (error) {
    if (!(error instanceof CheckpointError || error instanceof LoadError)) throw error;
    if (error.message.length < 40 || /\bundefined\b|\[object|Cannot read prop/.test(error.message)) {
      throw new Error(`a message that does not help: ${error.message}`);
    }
    outcomes.refused += 1;
  }
  const { user, system } = process.cpuUsage(before);
  if ((user + system) / 1e6 > MOST_SECONDS)
    throw new Error(`took ${(user + system) / 1e6} s of processor time`);
}

function fuzz<T>(count: number, inputs: fc.Arbitrary<T>, run: (input: T) => Promise<void>): Promise<void> {
  const property = fc.asyncProperty(inputs, (input) => survives(() => run(input)));
  return fc.assert(property, { seed: SEED, numRuns: Math.round(count * FACTOR), endOnFailure: true });
}

/** Reads every tensor that is anywhere in a saved object; a damaged one may refuse, the others must be whole. */
async function readAll(saved: unknown, fileSize: number): Promise<void> {
  const seen = new Set<unknown>();
  const waiting = [saved];
  while (waiting.length > 0) {
    const next = waiting.pop();
    if (typeof next !== 'object' || next === null || seen.has(next)) continue;
    seen.add(next);
    if (next instanceof StoredTensor) await readTensor(next, fileSize);
    else if (next instanceof Map) waiting.push(...next.values());
    else if (Array.isArray(next)) waiting.push(...next);
  }
}

async function readTensor(tensor: StoredTensor, fileSize: number): Promise<void> {
  const values = await tensor.read();
  expect(values.length).toBe(sizeOf(tensor.shape));
  if (fileSize > 0) checkAllocations(fileSize, `a tensor [${tensor.shape}]`);
}

async function openAndRead(bytes: Bytes): Promise<void> {
  const saved = await openTorchFile(memorySource(bytes));
  checkAllocations(bytes.length, 'opening');
  settingsOf(saved);
  await readAll(saved, bytes.length);
}

const LONG = 600_000 * FACTOR;

describe('damaged files', () => {
  it('torch.save, zip', () => fuzz(4000, mutations, (list) => openAndRead(mutate(files.zip, list))), LONG);

  it(
    'torch.save, legacy',
    () => fuzz(8700, mutations, (list) => openAndRead(mutate(files.legacy, list))),
    LONG,
  );

  it(
    'pickles of random instructions, with bombs',
    () =>
      fuzz(400, pickleProgram, async (pickle) => {
        const bytes = await torchZipOf(pickle);
        counter.reset();
        await openAndRead(bytes);
        await openCheckpoint({ name: 'random.ckpt', source: memorySource(bytes) });
      }),
    LONG,
  );

  it(
    'safetensors: bytes',
    () => fuzz(2000, mutations, (list) => readSafetensors(mutate(files.safetensors, list))),
    LONG,
  );

  it(
    'safetensors: headers that lie',
    () =>
      fuzz(2000, jsonEdits, (edits) =>
        readSafetensors(safetensors(editJson(SAFETENSORS_HEADER, edits) as object, SAFETENSORS_DATA)),
      ),
    LONG,
  );

  it(
    'whole models, through the conversion',
    () =>
      fuzz(500, fc.tuple(fc.boolean(), mutations), async ([legacy, list]) => {
        await convertAll(mutate(legacy ? files.modelLegacy : files.model, list));
      }),
    LONG,
  );
});

async function readSafetensors(bytes: Bytes): Promise<void> {
  const tensors = await openSafetensors(memorySource(bytes));
  checkAllocations(bytes.length, 'opening');
  for (const tensor of tensors.values()) await readTensor(tensor, bytes.length);
}

/** A conversion that ends well ends in a manifest that the loader takes, and in as many values as it announces. */
async function convertAll(bytes: Bytes): Promise<void> {
  const source = memorySource(bytes);
  const inspection = await planConversion([{ name: 'mutant.ckpt', source }], { quantization: 'int8' });
  checkAllocations(bytes.length, 'planning');
  if (inspection.kind === 'needs') {
    expect(inspection.needs.length).toBeGreaterThan(0);
    return;
  }
  const sink = new MemorySink();
  for await (const { doneBytes, totalBytes } of convert(inspection.plan, sink)) {
    expect(doneBytes).toBeLessThanOrEqual(totalBytes);
    checkAllocations(bytes.length, 'a step of the conversion');
  }
  expect((await parseManifest(sink.text ?? '', 'mutant')).parameters).toBe(inspection.plan.parameters);
}

describe('damaged models', () => {
  const packed = packModel(SMALL_TENSORS, { name: 'small', model: SMALL_MODEL, shardBytes: 64 });
  const bytesOf = new TextEncoder().encode(packed.manifest);
  const shards = [...packed.files.values()].map((bytes) => bytes.buffer);
  const whole = shards.reduce((sum, { byteLength }) => sum + byteLength, bytesOf.length);

  function readValues(manifest: Manifest): number[][] {
    return manifest.tensors.map((entry) => {
      const values = dequantize(entry, (i) => shards[i] ?? new ArrayBuffer(0));
      expect(values.length).toBe(sizeOf(entry.shape));
      return [...values];
    });
  }

  it(
    'manifests: bytes that were changed never pass',
    () =>
      fuzz(1000, mutations, async (list) => {
        const text = new TextDecoder().decode(mutate(bytesOf, list));
        const manifest = await parseManifest(text, 'https://example.test/manifest.json');
        // Only where the damage undid itself.
        expect(text).toBe(packed.manifest);
        readValues(manifest);
      }),
    LONG,
  );

  it(
    'manifests: rewritten and hashed anew, they stay within their shards',
    () =>
      fuzz(1200, jsonEdits, async (edits) => {
        const edited = editJson(JSON.parse(packed.manifest), edits) as Record<string, unknown>;
        const text = hashed(edited);
        const manifest = await parseManifest(text, 'https://example.test/manifest.json');
        checkAllocations(whole, 'a manifest');
        const claims = manifest.shards.map(({ bytes }) => bytes);
        if (claims.some((bytes, i) => bytes !== shards[i]?.byteLength)) return; // the fetch refuses such a shard
        readValues(manifest);
        checkAllocations(whole, 'dequantizing');
      }),
    LONG,
  );

  it(
    'shards that were changed never pass',
    () =>
      fuzz(300, fc.tuple(fc.nat(9), mutations), async ([which, list]) => {
        const names = [...packed.files.keys()];
        const name = names[which % names.length] ?? '';
        const original = packed.files.get(name) ?? new Uint8Array();
        const damaged = mutate(original, list);
        const host = fakeHost(new Map([['manifest.json', bytesOf], ...packed.files, [name, damaged]]));
        const cache = await openWeightCache({ open: async () => new FakeCache() }, () => 1e12);
        await loadWeights('https://example.test/manifest.json', { fetch: host.fetch, cache });
        expect(Buffer.from(damaged).equals(original)).toBe(true);
      }),
    LONG,
  );
});

/** As the exporter writes it. */
function hashed(manifest: Record<string, unknown>): string {
  const zeros = '0'.repeat(64);
  const text = JSON.stringify(Object.hasOwn(manifest, 'sha256') ? { ...manifest, sha256: zeros } : manifest);
  return text.replace(zeros, digest(text));
}

describe('the fuzz test itself', () => {
  it('saw files that could be read and files that could not', () => {
    expect(outcomes.refused + outcomes.read).toBeGreaterThanOrEqual(20_000 * FACTOR);
    expect(outcomes.refused).toBeGreaterThan(5000 * FACTOR);
    expect(outcomes.read).toBeGreaterThan(1000 * FACTOR);
  });

  it('notices an allocation that is too large', async () => {
    counter.reset();
    expect(new Float32Array(100_000).length).toBe(100_000);
    expect(() => checkAllocations(1000, 'this')).toThrow('allocated 400000');
    counter.reset();
    await convertInMemory([{ name: 'whole.ckpt', source: memorySource(files.model) }], {
      quantization: 'int4',
    });
  });
});
