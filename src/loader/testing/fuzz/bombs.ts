/**
 * Files that ask for far more memory or time than their length: few kinds, made to measure. Each is a whole file, which
 * the reader may refuse, or read within its limits.
 */
import * as fc from 'fast-check';
import { torchZipOf, torchZipOfEntries } from '../torchWriter';

type Bytes = Uint8Array<ArrayBuffer>;

const latin = (text: string): number[] => Array.from(text, (character) => character.charCodeAt(0));
const uint32 = (n: number): number[] => [n & 255, (n >>> 8) & 255, (n >>> 16) & 255, (n >>> 24) & 255];

/** `head`, then `part` as often as it takes to fill `size` bytes, then `tail` once for each of them. */
function pickle(
  size: number,
  part: readonly number[] | ((i: number) => readonly number[]),
  head: readonly number[] = [],
  tail: readonly number[] = [],
): Bytes {
  const out = new Uint8Array(size + head.length + 1024);
  let [at, parts] = [0, 0];
  const put = (bytes: readonly number[]) => {
    out.set(bytes, at);
    at += bytes.length;
  };
  put([0x80, 4, ...head]);
  for (; at + tail.length * (parts + 1) < size; parts++) put(typeof part === 'function' ? part(parts) : part);
  for (let i = 0; i < parts && at < size; i++) put(tail);
  put([0x2e]);
  return out.slice(0, at);
}

const text = (characters: string): number[] => [0x58, ...uint32(characters.length), ...latin(characters)];
const EMPTY_LIST = latin(']');

/** Pickles of about `size` bytes. */
const PICKLES: Readonly<Record<string, (size: number) => Bytes>> = {
  lists: (size) => pickle(size, EMPTY_LIST),
  dicts: (size) => pickle(size, latin('}')),
  sets: (size) => pickle(size, [0x8f]),
  marks: (size) => pickle(size, latin('(')),
  'lists in lists': (size) => pickle(size, EMPTY_LIST, [], latin('a')),
  'tuples in tuples': (size) => pickle(size, [0x85], latin('N')),
  'a pair of the pair before': (size) => pickle(size, [0x32, 0x86], latin('N')),
  None: (size) => pickle(size, latin('N')),
  'small integers': (size) => pickle(size, [0x4b, 7]),
  'floating point numbers': (size) => pickle(size, (i) => [0x47, 0x40, ...uint32(i), 1, 2, 3]),
  texts: (size) => pickle(size, (i) => text(i.toString(36))),
  'keys of a dict': (size) => pickle(size, (i) => [0x4a, ...uint32(i), 0x4e], latin('}('), []),
  'memo, numbered': (size) => pickle(size, (i) => [0x72, ...uint32(i)], latin('N')),
  'memo, in order': (size) => pickle(size, [0x94], latin('N')),
  classes: (size) => pickle(size, (i) => latin(`ca\n${i.toString(36)}\n`)),
  'instances of a class': (size) => pickle(size, [0x68, 1, 0x29, 0x81], latin('cargparse\nNamespace\nq\x01')),
  'dicts by their class': (size) =>
    pickle(size, [0x68, 1, 0x29, 0x52], latin('ccollections\nOrderedDict\nq\x01')),
  'states of an instance': (size) => pickle(size, latin('}b'), latin('cargparse\nNamespace\n)\x81')),
  'integers of 255 bytes': (size) => pickle(size, [0x8a, 255, ...new Array<number>(255).fill(0x7f)]),
  'integers of 500 digits': (size) => pickle(size, latin(`L${'9'.repeat(500)}L\n`)),
  'references to one storage': (size) => pickle(size, [0x68, 1, 0x51], [...storageId(), 0x71, 1]),
  'tensors of one storage': (size) => pickle(size, [0x68, 2, 0x68, 3, 0x52], tensorArguments()),
  'bytes of one text': (size) =>
    pickle(size / 2, latin('h\x01h\x02R'), [
      ...latin('c_codecs\nencode\nq\x01'),
      ...text('x'.repeat(Math.floor(size / 2))),
      ...[0x85, 0x71, 2],
    ]),
};

/** ('storage', torch.FloatStorage, '0', 'cpu', 16): what a persistent id is made of. */
function storageId(): number[] {
  return [
    ...latin('('),
    ...text('storage'),
    ...latin('ctorch\nFloatStorage\n'),
    ...text('0'),
    ...text('cpu'),
    ...[0x4b, 16],
    ...latin('t'),
  ];
}

/** The function in the memo's slot 2, and what it is called with in slot 3. */
function tensorArguments(): number[] {
  return [
    ...latin('ctorch._utils\n_rebuild_tensor_v2\nq\x02('),
    ...storageId(),
    0x51,
    ...latin('K\x00(K\x04K\x04t(K\x04K\x01t'),
    ...[0x89, 0x4e, 0x74, 0x71, 3],
  ];
}

/** Files of about `size` bytes that are no pickle in the main. */
const FILES: Readonly<Record<string, (size: number) => Bytes | Promise<Bytes>>> = {
  'entries of a zip archive': (size) =>
    torchZipOfEntries(Array.from({ length: size / 150 }, (_, i) => `archive/data/${i}`)),
  'safetensors, tensors of nothing': (size) =>
    rawSafetensors(
      `{${Array.from({ length: size / 60 }, (_, i) => `"${i.toString(36)}":${NOTHING}`).join()}}`,
    ),
  'safetensors, lists': (size) => rawSafetensors(`{"a":[${'[],'.repeat(size / 3 - 9)}0]}`),
  'safetensors, lists in lists': (size) => rawSafetensors(`{"a":${'['.repeat(size / 2)}`),
};

const NOTHING = '{"dtype":"F32","shape":[0],"data_offsets":[0,0]}';

function rawSafetensors(header: string): Bytes {
  const bytes = new TextEncoder().encode(header);
  return Uint8Array.from(
    Buffer.concat([new Uint8Array(BigUint64Array.of(BigInt(bytes.length)).buffer), bytes]),
  );
}

export interface Bomb {
  readonly name: string;
  readonly size: number;
}

export const BOMBS = [...Object.keys(PICKLES), ...Object.keys(FILES)];

/** From 4 KiB to 4 MiB. */
export const bombs: fc.Arbitrary<Bomb> = fc.record({
  name: fc.constantFrom(...BOMBS),
  size: fc.integer({ min: 12, max: 22 }).map((power) => 2 ** power),
});

export async function bombFile({ name, size }: Bomb): Promise<Bytes> {
  const program = PICKLES[name];
  if (program) return torchZipOf(program(size));
  const file = FILES[name];
  if (!file) throw new Error(`There is no bomb ${name}.`);
  return file(size);
}
