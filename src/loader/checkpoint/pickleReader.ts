/**
 * The bytes of a pickle as pickleparser 0.2.1 asks for them, with its gaps mended on the way:
 *
 * - Long integers (LONG, LONG1, LONG4) are read here, exactly, signed and of any length: it takes them for unsigned
 *   and refuses those of more than 8 bytes (torch's legacy magic number has 10).
 * - Text of protocol 0 gets its escapes back.
 * - DICT and BUILD are carried out by pickle.ts: the parser's own assign properties to whatever lies on the stack.
 * - Lengths are checked: a negative one would lead it backwards, and round in circles.
 *
 * To do something itself, the reader shows the parser opcodes that end in a persistent id (PERSID or BINPERSID),
 * whose resolver hands the value back. The parser asks `hasNext` before every opcode and nowhere else, which tells
 * opcodes from other bytes.
 */
import { BufferReader } from 'pickleparser';

/** The bytes end before the pickle does. */
export class EndOfPickle extends Error {
  constructor() {
    super('it ends too early');
  }
}

/** A value that was read here, on its way through the parser's persistent ids. */
export class Deferred {
  constructor(readonly value: unknown) {}
}

/** What the persistent id that the parser asks for next stands for: an instruction to pickle.ts, or a real id. */
export type Action = 'dict' | 'build' | 'id';

const OP = {
  build: 0x62,
  dict: 0x64,
  list: 0x6c,
  tuple2: 0x86,
  persistentId: 0x50,
  binaryPersistentId: 0x51,
  string: 0x53,
  unicode: 0x56,
  long: 0x4c,
  long1: 0x8a,
  long4: 0x8b,
} as const;

/**
 * What takes memory beside its bytes: EMPTY_DICT, EMPTY_LIST, EMPTY_TUPLE, EMPTY_SET, TUPLE, TUPLE1, TUPLE2, TUPLE3, LIST,
 * DICT, FROZENSET, MARK; REDUCE, NEWOBJ, NEWOBJ_EX, INST, OBJ; GLOBAL, STACK_GLOBAL; PERSID, BINPERSID; PUT, BINPUT,
 * LONG_BINPUT, MEMOIZE.
 */
const TAKES_MEMORY = new Set([
  ...[0x7d, 0x5d, 0x29, 0x8f, 0x74, 0x85, 0x86, 0x87, 0x6c, 0x64, 0x91, 0x28],
  ...[0x52, 0x81, 0x92, 0x69, 0x6f, 0x63, 0x93, 0x50, 0x51, 0x70, 0x71, 0x72, 0x94],
]);
/** An official checkpoint with its optimizer has 25 thousand of them; each may take 200 bytes. */
const MOST_OBJECTS = 250_000;
/** The same file has 50 thousand. Each may put a value on the stack, which takes some 20 bytes. */
const MOST_INSTRUCTIONS = 2_000_000;
/** The digits of a LONG, and the bytes of a LONG1 or LONG4; numbers beyond these are not settings or sizes. */
const LONGEST_INTEGER = 1024;

export class PickleReader extends BufferReader {
  #atOpcode = false;
  /** Opcodes to be shown before the next one is read. */
  #pending: number[] = [];
  #action: Action = 'id';
  #opcode = 0;
  #deferred: Deferred | undefined;
  #objects = 0;
  #instructions = 0;

  /** What the persistent id asked for now means; the next one is a real id again. */
  takeAction(): Action {
    const action = this.#action;
    this.#action = 'id';
    return action;
  }

  override hasNext(): boolean {
    if (this.#pending.length === 0 && !super.hasNext()) throw new EndOfPickle();
    this.#atOpcode = true;
    return true;
  }

  override byte(): number {
    if (!this.#atOpcode) return super.byte();
    this.#atOpcode = false;
    const opcode = this.#pending.shift() ?? this.#translate(super.byte());
    this.#opcode = opcode;
    return opcode;
  }

  #translate(opcode: number): number {
    if (TAKES_MEMORY.has(opcode)) this.#objects += 1;
    this.#instructions += 1;
    if (this.#objects > MOST_OBJECTS || this.#instructions > MOST_INSTRUCTIONS) {
      throw new Error(
        `it makes more than ${MOST_OBJECTS} objects, or has more than ${MOST_INSTRUCTIONS} values`,
      );
    }
    switch (opcode) {
      case OP.dict:
        return this.#instead(OP.list, 'dict');
      case OP.build:
        return this.#instead(OP.tuple2, 'build');
      case OP.long:
        return this.#defer(parseDecimal(this.#plainLine()));
      case OP.long1:
        return this.#defer(signed(this.bytes(super.byte())));
      case OP.long4:
        return this.#defer(signed(this.bytes(this.int32())));
      default:
        return opcode;
    }
  }

  #instead(opcode: number, action: Action): number {
    this.#pending.push(OP.binaryPersistentId);
    this.#action = action;
    return opcode;
  }

  #defer(value: number | bigint): number {
    this.#deferred = new Deferred(value);
    return OP.persistentId;
  }

  override line(): string {
    const deferred = this.#deferred;
    this.#deferred = undefined;
    // The parser passes a line on untouched, so an object goes through where it expects a string.
    if (deferred) return deferred as unknown as string;
    if (this.#opcode !== OP.string && this.#opcode !== OP.unicode) return this.#plainLine();
    const text = this.#plainLine();
    return this.#opcode === OP.unicode ? unescapeUnicode(text) : unescapeString(text);
  }

  #plainLine(): string {
    try {
      return super.line();
    } catch {
      throw new EndOfPickle();
    }
  }

  override skip(length: number): void {
    if (!Number.isSafeInteger(length) || length < 0) throw new Error(`one of its lengths is ${length}`);
    if (this.position + length > this.length) throw new EndOfPickle();
    super.skip(length);
  }

  override uint64(): number {
    const [low, high] = [this.uint32(), this.uint32()];
    return low + 2 ** 32 * high; // one that is not exact is longer than any file
  }
}

/** Little-endian two's complement of any length. */
function signed(bytes: ArrayLike<number>): number | bigint {
  if (bytes.length > LONGEST_INTEGER) throw new Error(`one of its integers has ${bytes.length} bytes`);
  let big = 0n;
  for (let i = bytes.length - 1; i >= 0; i--) big = (big << 8n) | BigInt(bytes[i] ?? 0);
  return exact(BigInt.asIntN(8 * bytes.length, big));
}

function parseDecimal(text: string): number | bigint {
  const digits = text.replace(/L$/, '');
  if (!/^-?\d{1,1024}$/.test(digits)) throw new Error('one of its integers is not a number');
  return exact(BigInt(digits));
}

/** number where that is exact. */
function exact(big: bigint): number | bigint {
  const small = Number(big);
  return Number.isSafeInteger(small) ? small : big;
}

/** Python's raw-unicode-escape: only \uXXXX and \UXXXXXXXX. */
function unescapeUnicode(text: string): string {
  return text.replace(/\\u([0-9a-fA-F]{4})|\\U([0-9a-fA-F]{8})/g, (whole, short, long) => {
    const code = Number.parseInt(short ?? long, 16);
    return code <= 0x10ffff ? String.fromCodePoint(code) : whole;
  });
}

const ESCAPES: Readonly<Record<string, string>> = {
  n: '\n',
  t: '\t',
  r: '\r',
  '\\': '\\',
  "'": "'",
  '"': '"',
};

/** Inside the quotes of a str of Python 2. */
function unescapeString(text: string): string {
  return text.replace(/\\(x[0-9a-fA-F]{2}|[ntr\\'"])/g, (_, escaped: string) =>
    escaped.startsWith('x')
      ? String.fromCharCode(Number.parseInt(escaped.slice(1), 16))
      : (ESCAPES[escaped] ?? ''),
  );
}
