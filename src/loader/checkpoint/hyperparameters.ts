/**
 * The settings that Lightning saves with a model, as plain JavaScript: Maps, argparse Namespaces and OmegaConf
 * nodes become objects and arrays. Unknown objects are left as they are.
 */
import { PythonObject } from './pickle';
import { CheckpointError } from './source';

export type Plain = unknown;

/** Real settings have some hundred values and are a dozen deep. More is damage, or meant to exhaust memory. */
const MOST_VALUES = 100_000;
const DEEPEST = 64;

/**
 * OmegaConf: containers keep their nodes in `_content`, values in `_val`. Parents are not followed. What the pickle
 * shares is written out wherever it is met, so that the number of values is limited; cycles end at a depth.
 * @throws CheckpointError
 */
export function toPlain(value: unknown): Plain {
  let left = MOST_VALUES;
  const convert = (inner: unknown, depth: number): Plain => {
    left -= 1;
    if (left < 0 || depth > DEEPEST) {
      throw new CheckpointError(
        `its settings are nested more than ${DEEPEST} deep or have more than ${MOST_VALUES} values`,
      );
    }
    if (inner instanceof PythonObject) {
      const { attributes, className } = inner;
      if (attributes.has('_content')) return convert(attributes.get('_content'), depth + 1);
      if (attributes.has('_val')) return convert(attributes.get('_val'), depth + 1);
      return className === 'Namespace' ? convert(attributes, depth + 1) : inner;
    }
    if (inner instanceof Map) {
      const entries = Array.from(inner, ([key, item]): [string, Plain] => [
        typeof key === 'object' ? '' : String(key),
        convert(item, depth + 1),
      ]);
      return Object.fromEntries(entries);
    }
    if (inner instanceof Set) return Array.from(inner, (item) => convert(item, depth + 1));
    return Array.isArray(inner) ? inner.map((item) => convert(item, depth + 1)) : inner;
  };
  return convert(value, 0);
}

/** The whole configuration that an OmegaConf node was cut out of: the last of its chain of parents. */
export function rootOf(node: unknown): unknown {
  let current = node;
  for (const seen = new Set<unknown>(); current instanceof PythonObject && !seen.has(current); ) {
    seen.add(current);
    const parent = current.attributes.get('_parent') ?? metadataParent(current);
    if (!(parent instanceof PythonObject)) break;
    current = parent;
  }
  return current;
}

/** Where some versions of OmegaConf keep it. */
function metadataParent(node: PythonObject): unknown {
  const metadata = node.attributes.get('_metadata');
  return metadata instanceof PythonObject ? metadata.attributes.get('_parent') : undefined;
}

/** The value at a path of keys in a plain object, or undefined. Only what the object itself has. */
export function at(value: Plain, ...path: readonly string[]): Plain {
  return path.reduce<Plain>(
    (inner, key) =>
      typeof inner === 'object' && inner !== null && Object.hasOwn(inner, key)
        ? (inner as Record<string, Plain>)[key]
        : undefined,
    value,
  );
}
