/**
 * The settings that Lightning saves with a model, as plain JavaScript: Maps, argparse Namespaces and OmegaConf
 * nodes become objects and arrays. Unknown objects are left as they are.
 */
import { PythonObject } from './pickle';

export type Plain = unknown;

/** OmegaConf: containers keep their nodes in `_content`, values in `_val`. Parents are not followed. */
export function toPlain(value: unknown): Plain {
  if (value instanceof PythonObject) {
    const { attributes, className } = value;
    if (attributes.has('_content')) return toPlain(attributes.get('_content'));
    if (attributes.has('_val')) return toPlain(attributes.get('_val'));
    return className === 'Namespace' ? toPlain(attributes) : value;
  }
  if (value instanceof Map)
    return Object.fromEntries(Array.from(value, ([key, item]) => [String(key), toPlain(item)]));
  if (value instanceof Set) return Array.from(value, toPlain);
  return Array.isArray(value) ? value.map(toPlain) : value;
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

/** The value at a path of keys in a plain object, or undefined. */
export function at(value: Plain, ...path: readonly string[]): Plain {
  return path.reduce<Plain>(
    (inner, key) =>
      typeof inner === 'object' && inner !== null ? (inner as Record<string, Plain>)[key] : undefined,
    value,
  );
}
