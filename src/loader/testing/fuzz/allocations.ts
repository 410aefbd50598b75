/**
 * Counts what code under test allocates in array buffers: constructors and `from` of typed arrays, ArrayBuffer, and
 * what a source hands out. JavaScript objects are not counted.
 */

const NAMES = [
  'ArrayBuffer',
  'Float64Array',
  'Float32Array',
  'BigInt64Array',
  'BigUint64Array',
  'Int32Array',
  'Uint32Array',
  'Int16Array',
  'Uint16Array',
  'Int8Array',
  'Uint8Array',
  'Uint8ClampedArray',
] as const;

type Constructor = new (...args: unknown[]) => ArrayBufferLike | ArrayBufferView;

export class AllocationCounter {
  /** Bytes since the last `reset`. */
  bytes = 0;
  readonly #originals = new Map<string, unknown>();

  reset(): void {
    this.bytes = 0;
  }

  install(): void {
    for (const name of NAMES) {
      const original = globalThis[name] as unknown as Constructor;
      this.#originals.set(name, original);
      const counted: Constructor = new Proxy(original, {
        construct: (target, args: unknown[], newTarget): object => {
          // Views of a buffer allocate nothing; neither does a length that the engine refuses.
          const made = Reflect.construct(
            target,
            args,
            newTarget === counted ? target : newTarget,
          ) as ArrayBufferView;
          const isView = args[0] instanceof ArrayBuffer || args[0] instanceof SharedArrayBuffer;
          if (!isView) this.bytes += made.byteLength;
          return made;
        },
        get: (target, key) => {
          const value: unknown = Reflect.get(target, key);
          if (key !== 'from' && key !== 'of') return value;
          return (...args: unknown[]) => {
            const made = Reflect.apply(value as (...from: unknown[]) => ArrayBufferView, target, args);
            this.bytes += made.byteLength;
            return made;
          };
        },
      });
      Object.defineProperty(globalThis, name, { value: counted, configurable: true, writable: true });
    }
  }

  uninstall(): void {
    for (const [name, value] of this.#originals) {
      Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
    }
    this.#originals.clear();
  }
}
