/** The kinds of hostile files, and how many of each the default run makes. Runs in the fuzz test's worker. */
import * as fc from 'fast-check';
import { openWeightCache } from '../../cache';
import { dequantize } from '../../dequantize';
import { loadWeights, type Manifest, parseManifest } from '../../index';
import { sizeOf } from '../../manifest';
import { type MicroFiles, SAFETENSORS_DATA, SAFETENSORS_HEADER, safetensors } from '../microFiles';
import { SMALL_MODEL, SMALL_TENSORS } from '../models';
import { digest, packModel } from '../pack';
import { FakeCache, fakeHost } from '../storage';
import { torchZipOf } from '../torchWriter';
import { bombFile, bombs } from './bombs';
import {
  checkAllocations,
  convertAll,
  counter,
  openAndRead,
  openAny,
  readSafetensors,
  survives,
} from './checks';
import { pickleProgram } from './hostilePickles';
import type { KindName } from './kindNames';
import { editJson, jsonEdits, mutate, mutations } from './mutations';

export interface KindOptions {
  readonly seed: number;
  readonly runs: number;
  /** Called before each mutant. */
  readonly onMutant: () => void;
  readonly onOutcome: (outcome: 'read' | 'refused') => void;
}

/** Runs the mutants of a kind. @throws what fast-check throws for the first that fails, with its seed and path */
type Kind = (files: MicroFiles, options: KindOptions) => Promise<void>;

function kind<T>(inputs: fc.Arbitrary<T>, run: (input: T, files: MicroFiles) => Promise<void>): Kind {
  return (files, { seed, runs, onMutant, onOutcome }) => {
    const property = fc.asyncProperty(inputs, async (input) => {
      onMutant();
      onOutcome(await survives(() => run(input, files)));
    });
    return fc.assert(property, { seed, numRuns: runs, endOnFailure: true, includeErrorInReport: true });
  };
}

const packed = packModel(SMALL_TENSORS, { name: 'small', model: SMALL_MODEL, shardBytes: 64 });
const manifestBytes = new TextEncoder().encode(packed.manifest);
const shards = [...packed.files.values()].map((bytes) => bytes.buffer);
const packedSize = shards.reduce((sum, { byteLength }) => sum + byteLength, manifestBytes.length);
const MANIFEST_URL = 'https://example.test/manifest.json';

export const KINDS: Readonly<Record<KindName, Kind>> = {
  'torch.save, zip': kind(mutations, (list, { zip }) => openAndRead(mutate(zip, list))),
  'torch.save, legacy': kind(mutations, (list, { legacy }) => openAndRead(mutate(legacy, list))),
  'pickles of random instructions, with bombs': kind(pickleProgram, async (pickle) => {
    const bytes = await torchZipOf(pickle);
    counter.reset();
    await openAndRead(bytes);
    await openAny(bytes);
  }),
  'large bombs': kind(bombs, async (bomb) => {
    const bytes = await bombFile(bomb);
    counter.reset();
    await openAny(bytes);
  }),
  'safetensors: bytes': kind(mutations, (list, files) => readSafetensors(mutate(files.safetensors, list))),
  'safetensors: headers that lie': kind(jsonEdits, (edits) =>
    readSafetensors(safetensors(editJson(SAFETENSORS_HEADER, edits) as object, SAFETENSORS_DATA)),
  ),
  'whole models, through the conversion': kind(fc.tuple(fc.boolean(), mutations), ([legacy, list], files) =>
    convertAll(mutate(legacy ? files.modelLegacy : files.model, list)),
  ),
  'manifests: bytes that were changed never pass': kind(mutations, async (list) => {
    const text = new TextDecoder().decode(mutate(manifestBytes, list));
    const manifest = await parseManifest(text, MANIFEST_URL);
    if (text !== packed.manifest) throw new Error('a manifest that was changed was taken');
    readValues(manifest); // The damage undid itself.
  }),
  'manifests: rewritten and hashed anew, they stay within their shards': kind(jsonEdits, async (edits) => {
    const edited = editJson(JSON.parse(packed.manifest), edits) as Record<string, unknown>;
    const manifest = await parseManifest(hashed(edited), MANIFEST_URL);
    checkAllocations(packedSize, 'a manifest');
    const claims = manifest.shards.map(({ bytes }) => bytes);
    if (claims.some((bytes, i) => bytes !== shards[i]?.byteLength)) return; // the fetch refuses such a shard
    readValues(manifest);
    checkAllocations(packedSize, 'dequantizing');
  }),
  'shards that were changed never pass': kind(fc.tuple(fc.nat(9), mutations), async ([which, list]) => {
    const names = [...packed.files.keys()];
    const name = names[which % names.length] ?? '';
    const original = packed.files.get(name) ?? new Uint8Array();
    const damaged = mutate(original, list);
    const host = fakeHost(new Map([['manifest.json', manifestBytes], ...packed.files, [name, damaged]]));
    const cache = await openWeightCache({ open: async () => new FakeCache() }, () => 1e12);
    await loadWeights(MANIFEST_URL, { fetch: host.fetch, cache });
    if (!Buffer.from(damaged).equals(original)) throw new Error('a shard that was changed was taken');
  }),
  'it rounds in a circle': kind(fc.nat(), async () => {
    for (;;) if (Date.now() < 0) return;
  }),
  'it fills the heap': kind(fc.nat(), async () => {
    for (const kept: number[][] = []; ; ) kept.push([kept.length]);
  }),
  'it throws what nobody expects': kind(fc.nat(), async () => {
    throw new TypeError('x is undefined');
  }),
  'it allocates five times the file': kind(fc.nat(), async () => {
    new Float32Array(100_000).fill(1);
    checkAllocations(80_000, 'this');
  }),
};

function readValues(manifest: Manifest): void {
  for (const entry of manifest.tensors) {
    const values = dequantize(entry, (i) => shards[i] ?? new ArrayBuffer(0));
    if (values.length !== sizeOf(entry.shape)) throw new Error(`${entry.name} has ${values.length} values`);
  }
}

/** As the exporter writes it. */
function hashed(manifest: Record<string, unknown>): string {
  const zeros = '0'.repeat(64);
  const text = JSON.stringify(Object.hasOwn(manifest, 'sha256') ? { ...manifest, sha256: zeros } : manifest);
  return text.replace(zeros, digest(text));
}
