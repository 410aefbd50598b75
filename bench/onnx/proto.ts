/**
 * Writes ONNX models: the messages of the format that the bench needs, declared field by field, and their encoding.
 * Knows no operator.
 */
import protobuf from 'protobufjs';

const STRING = 'string';
const INT = 'int64';

/** [number, type] or [number, type, 'repeated'] of each field; numbers are the format's. */
type Fields = Readonly<Record<string, readonly [id: number, type: string, rule?: 'repeated']>>;

const MESSAGES: Readonly<Record<string, Fields>> = {
  Model: {
    irVersion: [1, INT],
    producerName: [2, STRING],
    graph: [7, 'Graph'],
    opsets: [8, 'Opset', 'repeated'],
  },
  Opset: { domain: [1, STRING], version: [2, INT] },
  Graph: {
    nodes: [1, 'Node', 'repeated'],
    name: [2, STRING],
    initializers: [5, 'Tensor', 'repeated'],
    inputs: [11, 'Value', 'repeated'],
    outputs: [12, 'Value', 'repeated'],
  },
  Node: {
    inputs: [1, STRING, 'repeated'],
    outputs: [2, STRING, 'repeated'],
    name: [3, STRING],
    operator: [4, STRING],
    attributes: [5, 'Attribute', 'repeated'],
    domain: [7, STRING],
  },
  Attribute: {
    name: [1, STRING],
    float: [2, 'float'],
    int: [3, INT],
    string: [4, 'bytes'],
    ints: [8, INT, 'repeated'],
    type: [20, 'int32'],
  },
  Tensor: { dims: [1, INT, 'repeated'], type: [2, 'int32'], name: [8, STRING], raw: [9, 'bytes'] },
  Value: { name: [1, STRING], type: [2, 'Type'] },
  Type: { tensor: [1, 'TensorType'] },
  TensorType: { element: [1, 'int32'], shape: [2, 'Shape'] },
  Shape: { dims: [1, 'Dimension', 'repeated'] },
  Dimension: { size: [1, INT], symbol: [2, STRING] },
};

/** Element types of the format. */
export const ELEMENT = { float32: 1, int32: 6, int64: 7 } as const;
export type Element = keyof typeof ELEMENT;

const ATTRIBUTE_TYPE = { float: 1, int: 2, string: 3, ints: 7 } as const;

/** A whole number is an int; write `{ float: 1 }` for a float that happens to be whole. */
export type AttributeValue = number | string | readonly number[] | { readonly float: number };

export interface Node {
  readonly operator: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: Readonly<Record<string, AttributeValue>>;
  readonly domain?: string;
}

export interface Initializer {
  readonly name: string;
  readonly element: Element;
  readonly dims: readonly number[];
  readonly raw: Uint8Array;
}

/** A graph's input or output; extents are numbers, or names where they are free. */
export interface Value {
  readonly name: string;
  readonly element: Element;
  readonly dims: readonly (number | string)[];
}

export interface Graph {
  readonly nodes: readonly Node[];
  readonly initializers: readonly Initializer[];
  readonly inputs: readonly Value[];
  readonly outputs: readonly Value[];
}

/** Opset 20 (Gelu) needs format version 9. */
const IR_VERSION = 9;
const OPSET = 20;

const model = declare();

function declare(): protobuf.Type {
  const nested = Object.fromEntries(
    Object.entries(MESSAGES).map(([name, fields]) => [
      name,
      {
        fields: Object.fromEntries(
          Object.entries(fields).map(([field, [id, type, rule]]) => [
            field,
            rule ? { id, type, rule } : { id, type },
          ]),
        ),
      },
    ]),
  );
  return protobuf.Root.fromJSON({ nested }).lookupType('Model');
}

/** The bytes of an .onnx file. */
export function encodeModel(graph: Graph): Uint8Array {
  const message = {
    irVersion: IR_VERSION,
    producerName: 'mebt-web bench',
    opsets: [
      { domain: '', version: OPSET },
      { domain: 'com.microsoft', version: 1 },
    ],
    graph: {
      name: 'graph',
      nodes: graph.nodes.map((node) => ({
        ...node,
        attributes: Object.entries(node.attributes).map(([name, value]) => attribute(name, value)),
      })),
      initializers: graph.initializers.map(({ name, element, dims, raw }) => ({
        name,
        dims,
        raw,
        type: ELEMENT[element],
      })),
      inputs: graph.inputs.map(valueMessage),
      outputs: graph.outputs.map(valueMessage),
    },
  };
  const problem = model.verify(message);
  if (problem) throw new TypeError(`encodeModel: ${problem}.`);
  return model.encode(message).finish();
}

function attribute(name: string, value: AttributeValue): object {
  if (typeof value === 'string') {
    return { name, type: ATTRIBUTE_TYPE.string, string: new TextEncoder().encode(value) };
  }
  if (typeof value === 'object' && 'float' in value) {
    return { name, type: ATTRIBUTE_TYPE.float, float: value.float };
  }
  if (typeof value === 'object') return { name, type: ATTRIBUTE_TYPE.ints, ints: value };
  return Number.isInteger(value)
    ? { name, type: ATTRIBUTE_TYPE.int, int: value }
    : { name, type: ATTRIBUTE_TYPE.float, float: value };
}

function valueMessage({ name, element, dims }: Value): object {
  return {
    name,
    type: {
      tensor: {
        element: ELEMENT[element],
        shape: { dims: dims.map((dim) => (typeof dim === 'number' ? { size: dim } : { symbol: dim })) },
      },
    },
  };
}
