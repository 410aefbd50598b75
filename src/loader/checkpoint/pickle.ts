/**
 * Python pickles to plain JavaScript values, without running anything that they name: unknown classes become
 * `PythonObject`s that keep their arguments, state and items. The opcodes are read by the package pickleparser;
 * here are the classes it needs, and a mend for its long integers.
 *
 * dict → Map, list and tuple → Array, set → Set, bytes → Uint8Array, int → number (bigint beyond 2^53).
 */
import { BufferReader, Parser } from 'pickleparser';

/** A Python class or function: callable and constructible, as the parser calls both. */
export interface PythonClass {
  (...args: unknown[]): unknown;
  readonly module: string;
  readonly className: string;
}

/** An instance of a class that is not known here. Objects may form cycles. */
export class PythonObject {
  /** What BUILD set: usually the Map of attributes. */
  state: unknown = undefined;
  /** SETITEM(S): for subclasses of dict. */
  readonly items = new Map<unknown, unknown>();
  /** APPEND(S): for subclasses of list. */
  readonly list: unknown[] = [];

  constructor(
    readonly module: string,
    readonly className: string,
    readonly args: readonly unknown[],
  ) {}

  /** `state` as attributes; empty when it is anything else. */
  get attributes(): ReadonlyMap<unknown, unknown> {
    return this.state instanceof Map ? this.state : new Map();
  }

  push(...items: unknown[]): void {
    this.list.push(...items);
  }

  set(key: unknown, value: unknown): void {
    this.items.set(key, value);
  }

  add(item: unknown): void {
    this.list.push(item);
  }

  __setstate__(state: unknown): void {
    this.state = state;
  }
}

/** A dict that may carry attributes, as OrderedDict does (`_metadata` of a state_dict). */
export class PythonDict extends Map<unknown, unknown> {
  state: unknown = undefined;

  __setstate__(state: unknown): void {
    this.state = state;
  }
}

/** Turns a GLOBAL into something callable; undefined leaves it a placeholder. */
export type ResolveGlobal = (module: string, name: string) => ((...args: unknown[]) => unknown) | undefined;

export interface UnpickleOptions {
  readonly resolve?: ResolveGlobal;
  /** The object behind a persistent id (whatever the pickle gave as id). */
  readonly persistent?: (id: unknown) => unknown;
}

/** Reads `count` pickles that follow each other. Returns them and where the last one ends. */
export function unpickle(
  bytes: Uint8Array,
  count: number,
  options: UnpickleOptions = {},
): { values: unknown[]; end: number } {
  const classes = new Map<string, PythonClass>();
  const parser = new Parser({
    unpicklingTypeOfDictionary: 'Map',
    unpicklingTypeOfSet: 'Set',
    nameResolver: {
      resolve: (module, name) => {
        const key = `${module}.${name}`;
        const known = classes.get(key) ?? pythonClass(module, name, options.resolve);
        classes.set(key, known);
        return known;
      },
    },
    persistentResolver: {
      resolve: (id: unknown) => (id instanceof LongText ? id.value() : options.persistent?.(id)),
    },
  });
  const reader = new LongReader(bytes);
  const values = Array.from({ length: count }, () => parser.read<unknown>(reader));
  return { values, end: reader.position };
}

function pythonClass(module: string, className: string, resolve: ResolveGlobal | undefined): PythonClass {
  const known = resolve?.(module, className) ?? BUILT_IN[`${module}.${className}`];
  // A function declaration, which `new` accepts; what it returns is then the new object, so that NEWOBJ and
  // REDUCE both work.
  function make(...args: unknown[]): unknown {
    return known ? known(...args) : new PythonObject(module, className, args);
  }
  return Object.assign(make, { module, className });
}

const makeDict = (pairs?: unknown): PythonDict =>
  new PythonDict(Array.isArray(pairs) || pairs instanceof Map ? (pairs as Iterable<[unknown, unknown]>) : []);
const makeSet = (items?: unknown): Set<unknown> => new Set(Array.isArray(items) ? items : []);
const makeList = (items?: unknown): unknown[] => (Array.isArray(items) ? [...items] : []);

/** Constructors of the standard library whose values have a counterpart here. */
const BUILT_IN: Readonly<Record<string, (...args: unknown[]) => unknown>> = {
  'collections.OrderedDict': makeDict,
  'collections.defaultdict': () => makeDict(),
  '__builtin__.dict': makeDict,
  'builtins.dict': makeDict,
  '__builtin__.set': makeSet,
  'builtins.set': makeSet,
  '__builtin__.frozenset': makeSet,
  'builtins.frozenset': makeSet,
  '__builtin__.list': makeList,
  'builtins.list': makeList,
  '_codecs.encode': (text) => Uint8Array.from(String(text), (character) => character.codePointAt(0) ?? 0),
  'torch.Size': makeList,
};

const LONG1 = 0x8a;
const LONG4 = 0x8b;
const PERSID = 0x50;

/** An integer on its way through the parser's persistent ids. */
class LongText {
  constructor(readonly bytes: Uint8Array) {}

  /** Little-endian two's complement of any length. */
  value(): number | bigint {
    let big = 0n;
    for (const byte of Array.from(this.bytes).reverse()) big = (big << 8n) | BigInt(byte);
    big = BigInt.asIntN(8 * this.bytes.length, big);
    const small = Number(big);
    return Number.isSafeInteger(small) ? small : big;
  }
}

/**
 * pickleparser 0.2.1 takes long integers for unsigned and refuses those of more than 8 bytes (torch's legacy magic
 * number has 10). This reader swallows them itself: it shows the parser a PERSID opcode instead, whose "line"
 * is the integer, and `persistentResolver` hands its value back. The parser asks `hasNext` before every opcode
 * and nowhere else, which tells opcodes from other bytes.
 */
class LongReader extends BufferReader {
  #atOpcode = false;
  #long: LongText | undefined;

  override hasNext(): boolean {
    this.#atOpcode = true;
    return super.hasNext();
  }

  override byte(): number {
    const byte = super.byte();
    if (!this.#atOpcode) return byte;
    this.#atOpcode = false;
    if (byte !== LONG1 && byte !== LONG4) return byte;
    const length = byte === LONG1 ? super.byte() : this.uint32();
    this.#long = new LongText(Uint8Array.from(this.bytes(length)));
    return PERSID;
  }

  override line(): string {
    const long = this.#long;
    this.#long = undefined;
    // The parser passes a line on untouched, so an object goes through where it expects a string.
    return long ? (long as unknown as string) : super.line();
  }
}
