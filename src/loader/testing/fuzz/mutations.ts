/** Ways to damage a file or a JSON document, as fast-check arbitraries: drawn by a seed, and shrunk. */
import * as fc from 'fast-check';

type Bytes = Uint8Array<ArrayBuffer>;

/** Lengths and offsets that lie. */
export const LIES = [
  0, 1, 4, 7, 255, 256, 65_535, 65_536, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff, -1, -8, 1e6,
];

type Mutation =
  | { readonly kind: 'flip'; readonly at: number; readonly bit: number }
  | { readonly kind: 'set'; readonly at: number; readonly value: number }
  | { readonly kind: 'cut'; readonly at: number }
  | { readonly kind: 'drop' | 'repeat' | 'zero'; readonly at: number; readonly length: number }
  | { readonly kind: 'lie'; readonly at: number; readonly bytes: 2 | 4 | 8; readonly value: number };

/** A place in the file, as a fraction; damage near the ends hits headers and directories. */
const place = fc.oneof(
  { weight: 4, arbitrary: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }) },
  { weight: 1, arbitrary: fc.double({ min: 0, max: 0.05, noNaN: true }) },
  { weight: 2, arbitrary: fc.double({ min: 0.7, max: 1, maxExcluded: true, noNaN: true }) },
);
const length = fc.integer({ min: 1, max: 300 });

const mutation: fc.Arbitrary<Mutation> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('flip' as const), at: place, bit: fc.nat(7) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('set' as const), at: place, value: fc.nat(255) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('cut' as const), at: place }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constantFrom('drop' as const, 'repeat' as const, 'zero' as const),
      at: place,
      length,
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('lie' as const),
      at: place,
      bytes: fc.constantFrom(2 as const, 4 as const, 8 as const),
      value: fc.oneof(fc.constantFrom(...LIES), fc.integer()),
    }),
  },
);

export const mutations = fc.array(mutation, { minLength: 1, maxLength: 4 });

export function mutate(original: Bytes, list: readonly Mutation[]): Bytes {
  return list.reduce(apply, original.slice());
}

function apply(bytes: Bytes, step: Mutation): Bytes {
  const at = Math.min(bytes.length - 1, Math.floor(step.at * bytes.length));
  if (bytes.length === 0) return bytes;
  switch (step.kind) {
    case 'flip':
      bytes[at] = (bytes[at] ?? 0) ^ (1 << step.bit);
      return bytes;
    case 'set':
      bytes[at] = step.value;
      return bytes;
    case 'cut':
      return bytes.slice(0, at);
    case 'zero':
      return bytes.fill(0, at, at + step.length);
    case 'drop':
      return joined(bytes.subarray(0, at), bytes.subarray(at + step.length));
    case 'repeat':
      return joined(bytes.subarray(0, at + step.length), bytes.subarray(at));
    case 'lie': {
      const view = new DataView(bytes.buffer);
      if (at + step.bytes > bytes.length) return bytes;
      if (step.bytes === 2) view.setInt16(at, step.value, true);
      else if (step.bytes === 4) view.setInt32(at, step.value, true);
      else view.setBigInt64(at, BigInt(step.value), true);
      return bytes;
    }
    default:
      return step satisfies never;
  }
}

const joined = (...parts: readonly Uint8Array[]): Bytes => Uint8Array.from(Buffer.concat(parts));

export type JsonPath = readonly number[];

/** What a value in a JSON document is replaced by. */
export const jsonValue: fc.Arbitrary<unknown> = fc.oneof(
  fc.constantFrom<unknown>(
    null,
    true,
    '',
    'x',
    '__proto__',
    '../x',
    'int8',
    'int4',
    'F32',
    [],
    {},
    [0],
    -1,
    0.5,
    1e308,
  ),
  fc.constantFrom<unknown>(...LIES, 2 ** 31, 2 ** 40, 2 ** 53, Number.MIN_VALUE),
  fc.integer({ min: -2, max: 64 }),
  fc.array(fc.constantFrom(...LIES, 1e6), { maxLength: 7 }),
);

export const jsonEdits = fc.array(
  fc.record({
    path: fc.array(fc.nat(400), { minLength: 1, maxLength: 6 }),
    action: fc.constantFrom('replace' as const, 'delete' as const, 'duplicate' as const, 'rename' as const),
    value: jsonValue,
  }),
  { minLength: 1, maxLength: 3 },
);

type JsonEdit = { path: JsonPath; action: 'replace' | 'delete' | 'duplicate' | 'rename'; value: unknown };

/** Edits a copy of a JSON document: a path is taken modulo the number of children at each level. */
export function editJson(document: unknown, edits: readonly JsonEdit[]): unknown {
  const copy: unknown = structuredClone(document);
  for (const { path, action, value } of edits) {
    let parent = copy as Record<string, unknown>;
    for (const [depth, index] of path.entries()) {
      const keys = Object.keys(parent);
      const key = keys[index % Math.max(1, keys.length)];
      if (key === undefined) break;
      const child = parent[key];
      const deeper = typeof child === 'object' && child !== null && Object.keys(child).length > 0;
      if (deeper && depth + 1 < path.length) {
        parent = child as Record<string, unknown>;
        continue;
      }
      editField(parent, key, action, value);
      break;
    }
  }
  return copy;
}

function editField(
  parent: Record<string, unknown>,
  key: string,
  action: JsonEdit['action'],
  value: unknown,
): void {
  if (action === 'replace') parent[key] = value;
  else if (action === 'duplicate' && Array.isArray(parent)) parent.push(structuredClone(parent[Number(key)]));
  else if (action === 'delete' && Array.isArray(parent)) parent.splice(Number(key), 1);
  else if (action === 'rename' && !Array.isArray(parent)) {
    // As JSON.parse makes it: an own property, whatever its name.
    const name = typeof value === 'string' ? value : '__proto__';
    Object.defineProperty(parent, name, {
      value: parent[key],
      enumerable: true,
      configurable: true,
      writable: true,
    });
    delete parent[key];
  } else delete parent[key];
}
