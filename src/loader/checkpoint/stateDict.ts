/** A state_dict of named tensors, or the part of it under a prefix; it notes which names were asked for. */
import { CheckpointError } from './source';
import type { StoredTensor } from './tensor';

/** No official model has more layers or stages; a number beyond this in a name is damage. */
const MOST_NUMBERED = 1024;

export class StateDict {
  private constructor(
    readonly tensors: ReadonlyMap<string, StoredTensor>,
    readonly prefix: string,
    /** Full names that were asked for and are there, and those that are not; shared by all parts. */
    readonly asked: { readonly found: Set<string>; readonly missing: Set<string> },
  ) {}

  static of(tensors: ReadonlyMap<string, StoredTensor>): StateDict {
    return new StateDict(tensors, '', { found: new Set(), missing: new Set() });
  }

  under(prefix: string): StateDict {
    return new StateDict(this.tensors, this.prefix + prefix, this.asked);
  }

  has(name: string): boolean {
    return this.tensors.has(this.prefix + name);
  }

  /** The tensor, or undefined where it is missing; noted either way. */
  find(name: string): StoredTensor | undefined {
    const full = this.prefix + name;
    const tensor = this.tensors.get(full);
    (tensor ? this.asked.found : this.asked.missing).add(full);
    return tensor;
  }

  /** @throws CheckpointError when it is missing or has another number of axes */
  shapeOf(name: string, axes: number): readonly number[] {
    const shape = this.find(name)?.shape;
    if (shape?.length === axes) return shape;
    const got = shape ? `has the shape [${shape}]` : 'is missing';
    throw new CheckpointError(`its tensor ${this.prefix}${name} ${got}; one of ${axes} axes is expected`);
  }

  /** How many of `<name>.0`, `<name>.1`, … there are. */
  count(name: string): number {
    const start = `${this.prefix}${name}.`;
    let count = 0;
    for (const key of this.tensors.keys()) {
      if (!key.startsWith(start)) continue;
      const number = Number(key.slice(start.length).split('.', 1)[0]);
      if (Number.isInteger(number) && number < MOST_NUMBERED) count = Math.max(count, number + 1);
    }
    return count;
  }
}
