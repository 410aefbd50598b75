import { describe, expect, it } from 'vitest';
import { LoadError } from './errors';
import { bytesOf, parseManifest } from './manifest';
import { INT4_TENSOR, SMALL_MODEL, SMALL_TENSORS } from './testing/models';
import { digest, packModel } from './testing/pack';

type Json = Record<string, unknown>;

const pack = (edit?: (manifest: Json) => void) =>
  packModel(SMALL_TENSORS, { name: 'small', model: SMALL_MODEL, ...(edit ? { edit } : {}) }).manifest;
const parse = (text: string) => parseManifest(text, 'https://example.test/manifest.json');

async function refusal(text: string): Promise<LoadError> {
  const error = await parse(text).then(
    () => null,
    (reason: unknown) => reason,
  );
  if (error instanceof LoadError) return error;
  throw new Error(`expected a LoadError, got ${String(error)}`);
}

/** Changes one tensor entry. */
const tensor = (i: number, change: Json) =>
  pack((manifest) => {
    const tensors = manifest.tensors as Json[];
    tensors[i] = { ...tensors[i], ...change };
  });
/** Changes the entry of a manifest with one tensor, of int4. */
const int4 = (change: Json) =>
  packModel([INT4_TENSOR], {
    name: 'nibbles',
    model: SMALL_MODEL,
    edit: (manifest) => Object.assign((manifest.tensors as Json[])[0] ?? {}, change),
  }).manifest;
const trait = (change: Json) => ({ name: 'hour', values: ['day', 'night'], shares: [[1, 2]], ...change });
const traits = (...list: readonly Json[]) => model('transformer', { traits: list });
const model = (path: string, change: Json) =>
  pack((manifest) => {
    const copy = structuredClone(SMALL_MODEL) as unknown as Json;
    const target = path === '' ? copy : (copy[path] as Json);
    Object.assign(target, change);
    manifest.model = copy;
  });

describe('parseManifest', () => {
  it('reads what the exporter writes', async () => {
    const manifest = await parse(pack());
    expect(manifest.name).toBe('small');
    expect(manifest.model).toEqual(SMALL_MODEL);
    expect(manifest.tensors.map((entry) => entry.name)).toEqual(['a.float', 'b.half', 'c.byte', 'd.float']);
    expect(bytesOf(manifest)).toBe(24 + 12 + 12 + 12 + 28);
  });

  it('reads int4: rows of whole words, and a scale per group of rows and column', async () => {
    const manifest = await parse(int4({}));
    expect(manifest.tensors[0]).toMatchObject({ dtype: 'int4', group: 4 });
    expect(bytesOf(manifest)).toBe(5 * 2 * 4 + 2 * 9 * 4);
  });

  it('refuses another version with its own code, as reloading the weights cannot help', async () => {
    const error = await refusal(pack((manifest) => Object.assign(manifest, { version: 2 })));
    expect(error).toMatchObject({ code: 'manifest-version', retry: false });
    expect(error.message).toContain('version 2');
  });

  it('says that a web page came in place of the manifest', async () => {
    const error = await refusal('<!doctype html><p>Not found');
    expect(error).toMatchObject({ code: 'not-a-manifest', retry: true });
    expect(error.message).toContain('a web page');
  });

  it('notices a manifest that was changed after it was hashed', async () => {
    const error = await refusal(pack().replace('"MIT"', '"BSD"'));
    expect(error.message).toContain('its hash is');
  });

  it('reads what a model can be told of a clip', async () => {
    const both = [
      trait({ course: true }),
      trait({
        name: 'moon',
        values: ['no', 'yes'],
        shares: [
          [1, 0],
          [1, 3],
        ],
        offered: false,
      }),
    ];
    expect((await parse(traits(...both))).model.transformer.traits).toEqual(both);
    expect((await parse(traits())).model.transformer).not.toHaveProperty('traits');
  });

  it('hashes the text with its own digits as zeros', async () => {
    const text = pack();
    const { sha256 } = await parse(text);
    expect(digest(text.replace(sha256, '0'.repeat(64)))).toBe(sha256);
  });

  it.each<[string, string, string]>([
    ['a cut file', pack().slice(0, -20), 'something else'],
    ['an array', '[]', 'must be an object'],
    ['another format', pack((m) => Object.assign(m, { format: 'gguf' })), 'format must be'],
    ['a missing name', pack((m) => Object.assign(m, { name: '' })), 'name must be'],
    [
      'a shard outside its folder',
      pack((m) => Object.assign((m.shards as Json[])[0] ?? {}, { file: '../x' })),
      'file',
    ],
    [
      'a shard at an address',
      pack((m) => Object.assign((m.shards as Json[])[0] ?? {}, { file: 'http://x' })),
      'file',
    ],
    [
      'a hash that is none',
      pack((m) => Object.assign((m.shards as Json[])[0] ?? {}, { sha256: 'x' })),
      '64 lower',
    ],
    ['an unknown dtype', tensor(0, { dtype: 'int5' }), 'int5'],
    ['a name that every object has', tensor(0, { name: '__proto__' }), '__proto__'],
    ['a part of a name that every object has', tensor(0, { name: 'a.constructor' }), 'a.constructor'],
    ['a name twice', tensor(0, { name: 'b.half' }), 'listed twice'],
    ['an offset that is not aligned', tensor(0, { offset: 2 }), 'multiple of 4'],
    ['a negative offset', tensor(0, { offset: -4 }), 'offset'],
    ['a tensor past the end of its shard', tensor(3, { shape: [8] }), 'd.float ends at byte 92'],
    ['a shard that is not there', tensor(0, { shard: 1 }), 'shard 1'],
    ['overlapping tensors', tensor(0, { shape: [2, 4] }), 'overlap at byte 24'],
    ['an axis of length zero', tensor(0, { shape: [0, 3] }), 'shape[0]'],
    ['an axis that is not whole', tensor(0, { shape: [1.5, 3] }), 'shape[0]'],
    ['int8 without a scale', tensor(2, { scale: undefined }), 'scale of c.byte'],
    ['a scale without int8', tensor(0, { scale: { shard: 0, offset: 0 } }), 'scale of a.float'],
    ['int4 without a group', int4({ group: undefined }), 'tensors[0].group'],
    ['a group without int4', tensor(2, { group: 4 }), 'tensors[2].group'],
    ['a group that is no multiple of 4', int4({ group: 6 }), 'multiple of 4'],
    ['int4 without a scale', int4({ scale: undefined }), 'scale of e.nibble'],
    ['int4 past the end of its shard', int4({ shape: [20, 9] }), 'e.nibble ends at byte 160'],
    ['an unknown block mode', model('transformer', { modes: ['self'] }), 'latent_enc'],
    ['heads that do not divide the width', model('transformer', { heads: 3 }), 'multiple of heads'],
    ['more tokens than positions', model('transformer', { positions: 7 }), '8 tokens'],
    ['a vocabulary beyond the codes', model('transformer', { vocabulary: 7 }), '6 codes'],
    ['traits that are no list', model('transformer', { traits: {} }), 'traits must be an array'],
    ['a trait without values', traits(trait({ values: [] })), 'traits[0].values must be 2 to 64 words'],
    ['a value twice', traits(trait({ values: ['day', 'day'] })), 'none of them twice'],
    [
      'a trait twice',
      traits(
        trait({}),
        trait({
          shares: [
            [1, 2],
            [1, 2],
          ],
        }),
      ),
      'traits (names)',
    ],
    ['a name that an address could not carry', traits(trait({ name: 'hour.of-day' })), 'small letters'],
    ['a course that is neither', traits(trait({ course: 1 })), 'course must be true or false, got 1'],
    ['an offer that is neither', traits(trait({ offered: 'no' })), 'offered must be true or false'],
    ['a share below 0', traits(trait({ shares: [[1, -1]] })), 'not below 0'],
    ['shares of nothing', traits(trait({ shares: [[0, 0]] })), 'one above 0'],
    ['a share too many', traits(trait({ shares: [[1, 1, 1]] })), '2 numbers'],
    [
      'shares that do not follow the first trait',
      traits(trait({}), trait({ name: 'moon' })),
      'must have 2 rows',
    ],
    ['an unknown norm', model('tokenizer', { norm: 'layer' }), 'none, affine or group'],
    ['a frame rate of zero', model('', { frameRate: 0 }), 'frameRate'],
    ['a grid of two axes', model('', { grid: [2, 2] }), '3 axes'],
  ])('refuses %s', async (_, text, words) => {
    const error = await refusal(text);
    expect(error.code).toBe('not-a-manifest');
    expect(error.message).toContain(words);
  });
});
