/**
 * Python pickles to plain JavaScript values, without running anything that they name: unknown classes become
 * `PythonObject`s that keep their arguments, state and items. The opcodes are read by the package pickleparser,
 * through the reader in pickleReader.ts; here are the classes that it needs.
 *
 * dict → Map, list and tuple → Array, set → Set, bytes → Uint8Array, int → number (bigint beyond 2^53).
 */
import { Parser } from 'pickleparser';
import { Deferred, EndOfPickle, PickleReader } from './pickleReader';
import { CheckpointError } from './source';

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
  /** SETITEM(S): for subclasses of dict. Most instances have none, and there may be many instances. */
  items: Map<unknown, unknown> | undefined;
  /** APPEND(S): for subclasses of list. */
  list: unknown[] | undefined;

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
    this.list ??= [];
    for (const item of items) this.list.push(item);
  }

  set(key: unknown, value: unknown): void {
    this.items ??= new Map();
    this.items.set(key, value);
  }

  add(item: unknown): void {
    this.push(item);
  }
}

/** A dict that may carry attributes, as OrderedDict does (`_metadata` of a state_dict). */
export class PythonDict extends Map<unknown, unknown> {
  state: unknown = undefined;
}

/** Turns a GLOBAL into something callable; undefined leaves it a placeholder. */
export type ResolveGlobal = (module: string, name: string) => ((...args: unknown[]) => unknown) | undefined;

export interface UnpickleOptions {
  readonly resolve?: ResolveGlobal;
  /** The object behind a persistent id (whatever the pickle gave as id). */
  readonly persistent?: (id: unknown) => unknown;
}

/** A checkpoint names some dozens of them, and each takes half a kilobyte. */
const MOST_CLASSES = 10_000;

/**
 * Reads `count` pickles that follow each other. Returns them and where the last one ends.
 * @throws Error with a clause about what is damaged and where; EndOfPickle where the bytes end too early; what
 * `resolve` and `persistent` throw, if that is a CheckpointError
 */
export function unpickle(
  bytes: Uint8Array,
  count: number,
  options: UnpickleOptions = {},
): { values: unknown[]; end: number } {
  const classes = new Map<string, PythonClass>();
  const budget = new CopyBudget(bytes.length);
  const parser = new Parser({
    unpicklingTypeOfDictionary: 'Map',
    unpicklingTypeOfSet: 'Set',
    nameResolver: {
      resolve: (module: unknown, name: unknown) => {
        // STACK_GLOBAL takes whatever lies on the stack; lists that hold each other would take for ever to spell out.
        if (typeof module !== 'string' || typeof name !== 'string') throw new Error('a class has no name');
        const key = `${module}.${name}`;
        const known = classes.get(key) ?? pythonClass(module, name, options.resolve, budget);
        classes.set(key, known);
        if (classes.size > MOST_CLASSES) throw new Error(`it names more than ${MOST_CLASSES} classes`);
        return known;
      },
    },
    persistentResolver: {
      // The reader asks this way for what it does itself; see there.
      resolve: (id: unknown) => {
        if (id instanceof Deferred) return id.value;
        const action = reader.takeAction();
        if (action === 'dict') return dictOf(id);
        return action === 'build' ? build(id) : options.persistent?.(id);
      },
    },
  });
  const reader = new PickleReader(bytes);
  try {
    const values = Array.from({ length: count }, () => parser.read<unknown>(reader));
    return { values, end: reader.position };
  } catch (error) {
    if (error instanceof EndOfPickle || error instanceof CheckpointError) throw error;
    throw new Error(`${reasonOf(error)}, at byte ${reader.position}`);
  }
}

/** What the JavaScript engine says of operands that are missing or of another kind, nobody understands. */
function reasonOf(error: unknown): string {
  const engine = error instanceof TypeError || error instanceof RangeError || error instanceof SyntaxError;
  if (engine || !(error instanceof Error)) return 'an instruction finds other operands than it expects';
  return error.message.replace(/\.$/, '');
}

/** DICT: keys and values one after the other. */
function dictOf(items: unknown): PythonDict {
  const dict = new PythonDict();
  if (Array.isArray(items)) for (let i = 0; i + 1 < items.length; i += 2) dict.set(items[i], items[i + 1]);
  return dict;
}

/** BUILD: [object, state]. Only instances that are ours to fill take a state; nothing else is changed by a pickle. */
function build(pair: unknown): unknown {
  const [object, state] = Array.isArray(pair) ? (pair as unknown[]) : [];
  if (object instanceof PythonObject || object instanceof PythonDict) object.state = state;
  else if (typeof object !== 'object' || object === null) throw new Error('a state is given to no object');
  return object;
}

function pythonClass(
  module: string,
  className: string,
  resolve: ResolveGlobal | undefined,
  budget: CopyBudget,
): PythonClass {
  const known = resolve?.(module, className) ?? builtIn(budget, `${module}.${className}`);
  // A function declaration, which `new` accepts; what it returns is then the new object, so that NEWOBJ and
  // REDUCE both work.
  function make(...args: unknown[]): unknown {
    return known ? known(...args) : new PythonObject(module, className, args);
  }
  return Object.assign(make, { module, className });
}

/** A few bytes can ask for a copy of something large, again and again: what all copies hold together is limited. */
class CopyBudget {
  constructor(private left: number) {}

  /** @throws Error when more elements were copied than the pickle has bytes */
  take(elements: number): void {
    this.left -= elements;
    if (this.left < 0) throw new Error('its containers are copied over and over');
  }
}

/** How protocols 0 and 1 make an instance: its class, the built-in class that it extends, and that one's value. */
function reconstructed(type: unknown, _base: unknown, value: unknown): unknown {
  if (typeof type !== 'function') throw new Error('an instance is made of something that is no class');
  const object: unknown = (type as PythonClass)();
  if (!(object instanceof PythonObject)) return object;
  if (Array.isArray(value)) for (const item of value) object.push(item);
  if (value instanceof Map) for (const [key, item] of value) object.set(key, item);
  return object;
}

/** Constructors of the standard library whose values have a counterpart here. */
function builtIn(budget: CopyBudget, name: string): ((...args: unknown[]) => unknown) | undefined {
  const list = (items: unknown): unknown[] => {
    if (items instanceof Set) budget.take(items.size);
    else if (Array.isArray(items)) budget.take(items.length);
    else return [];
    return [...items];
  };
  const makeSet = (items?: unknown) => new Set(list(items));
  const makeDict = (pairs?: unknown) => {
    if (pairs instanceof Map) {
      budget.take(pairs.size);
      return new PythonDict(pairs);
    }
    return new PythonDict(list(pairs) as [unknown, unknown][]);
  };
  switch (name) {
    case 'collections.OrderedDict':
    case '__builtin__.dict':
    case 'builtins.dict':
      return makeDict;
    case 'collections.defaultdict':
      return () => makeDict();
    case '__builtin__.set':
    case 'builtins.set':
    case '__builtin__.frozenset':
    case 'builtins.frozenset':
      return makeSet;
    case '__builtin__.list':
    case 'builtins.list':
    case 'torch.Size':
      return list;
    case 'copyreg._reconstructor':
    case 'copy_reg._reconstructor':
      return reconstructed;
    case '_codecs.encode':
      return (text) => {
        if (typeof text !== 'string') throw new Error('_codecs.encode is given something else than text');
        budget.take(text.length);
        return Uint8Array.from(text, (character) => character.codePointAt(0) ?? 0);
      };
    default:
      return undefined;
  }
}
