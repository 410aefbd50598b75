/** Pickles of random instructions, bombs among them, as fast-check arbitraries. */
import * as fc from 'fast-check';
import { LIES } from './mutations';

type Bytes = Uint8Array<ArrayBuffer>;

const latin = (text: string): number[] => Array.from(text, (character) => character.charCodeAt(0));
const uint32 = (n: number): number[] => [n & 255, (n >>> 8) & 255, (n >>> 16) & 255, (n >>> 24) & 255];

/** GLOBALs that mean something to the reader, and names that mean something to JavaScript. */
const GLOBALS = [
  'torch._utils\n_rebuild_tensor_v2',
  'torch._utils\n_rebuild_parameter',
  'torch._tensor\n_rebuild_from_type_v2',
  'torch\nFloatStorage',
  'torch\nNoSuchStorage',
  'collections\nOrderedDict',
  'builtins\nlist',
  'builtins\nset',
  '_codecs\nencode',
  'argparse\nNamespace',
  'omegaconf.dictconfig\nDictConfig',
  'os\nsystem',
  '__proto__\n__proto__',
  'constructor\nprototype',
];
const STRINGS = [
  'storage',
  'state_dict',
  'hyper_parameters',
  'args',
  'downsample',
  'mask_config',
  '_content',
  '_parent',
  '_val',
  '__proto__',
  'constructor',
  '__setstate__',
  'length',
  '0',
  'x',
];

const number = fc.oneof(fc.constantFrom(...LIES), fc.integer({ min: -4, max: 300 }));
const constantOpcode = fc.constantFrom(
  ...latin('().012NQRabdelostu]}'),
  ...[0x81, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8f, 0x90, 0x91, 0x92, 0x93, 0x94],
);

/** Lists in lists. */
const nested = (depth: number): number[] => [...latin(']'.repeat(depth)), ...latin('a'.repeat(depth - 1))];

/** A memo bomb: each level holds the one before twice, 2^depth values when written out. */
const doubled = (depth: number): number[] => [
  ...latin('N'),
  0x85,
  ...Array.from({ length: depth }, () => [0x32, 0x86]).flat(), // DUP TUPLE2
];

/** A dict that holds itself. */
function cyclic(): number[] {
  return [...latin('}'), 0x71, 200, 0x58, ...uint32(1), ...latin('x'), 0x68, 200, ...latin('s')];
}

/** OrderedDict(OrderedDict(…)) of the same pairs, each a copy. */
const copies = (count: number): number[] => [
  ...latin('](K\x01K\x02'),
  0x86,
  ...latin('K\x03K\x04'),
  0x86,
  ...latin('e'),
  0x71,
  201,
  ...Array.from({ length: count }, () => [
    ...latin('cbuiltins\nlist\n'),
    0x68,
    201,
    0x85,
    ...latin('R'),
  ]).flat(),
];

/** One instruction of a pickle, or a few that belong together. */
const instruction: fc.Arbitrary<number[]> = fc.oneof(
  { weight: 12, arbitrary: constantOpcode.map((opcode) => [opcode]) },
  { weight: 3, arbitrary: fc.nat(255).map((byte) => [byte]) },
  {
    weight: 5,
    arbitrary: fc.constantFrom(...STRINGS).map((text) => [0x58, ...uint32(text.length), ...latin(text)]),
  },
  { weight: 4, arbitrary: fc.constantFrom(...GLOBALS).map((name) => [0x63, ...latin(`${name}\n`)]) },
  { weight: 3, arbitrary: number.map((n) => [0x4a, ...uint32(n)]) },
  { weight: 2, arbitrary: fc.nat(9).map((slot) => [0x71, slot]) },
  { weight: 4, arbitrary: fc.nat(9).map((slot) => [0x68, slot]) },
  // BINBYTES, BINUNICODE, LONG4, BINUNICODE8 with lengths that lie.
  {
    weight: 2,
    arbitrary: fc.tuple(fc.constantFrom(0x42, 0x58, 0x8b, 0x54), number).map(([op, n]) => [op, ...uint32(n)]),
  },
  { weight: 1, arbitrary: number.map((n) => [0x8d, ...uint32(n), ...uint32(n >> 8)]) },
  { weight: 1, arbitrary: fc.integer({ min: 1, max: 4000 }).map(nested) },
  { weight: 1, arbitrary: fc.integer({ min: 4, max: 60 }).map(doubled) },
  { weight: 1, arbitrary: fc.constant(cyclic()) },
  { weight: 1, arbitrary: fc.integer({ min: 2, max: 400 }).map(copies) },
);

/** A pickle (protocol 2) of random instructions; most end in a dict that looks like a checkpoint. */
export const pickleProgram: fc.Arbitrary<Bytes> = fc
  .tuple(fc.array(instruction, { maxLength: 40 }), fc.boolean())
  .map(([instructions, wrapped]) => {
    const body = instructions.flat();
    const key = 'hyper_parameters';
    const head = wrapped ? [...latin('}'), 0x58, ...uint32(key.length), ...latin(key)] : [];
    return Uint8Array.from([0x80, 2, ...head, ...body, ...(wrapped ? latin('s') : []), 0x2e]);
  });
