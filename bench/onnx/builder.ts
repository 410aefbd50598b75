/** Builds an ONNX graph node by node: names values, keeps weights. Knows no network. */
import { type AttributeValue, encodeModel, type Initializer, type Node, type Value } from './proto';

/** A value in the graph, by name. */
export type Ref = string;

export class GraphBuilder {
  private readonly nodes: Node[] = [];
  private readonly initializers: Initializer[] = [];
  private readonly inputs: Value[] = [];
  private readonly outputs: Value[] = [];

  input(name: string, element: Value['element'], dims: Value['dims']): Ref {
    this.inputs.push({ name, element, dims });
    return name;
  }

  output(from: Ref, name: string, dims: Value['dims']): void {
    this.nodes.push({ operator: 'Identity', inputs: [from], outputs: [name], attributes: {} });
    this.outputs.push({ name, element: 'float32', dims });
  }

  /** A constant float32 tensor. */
  weight(data: Float32Array, dims: readonly number[]): Ref {
    const raw = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    return this.initialize('float32', dims, raw);
  }

  /** A constant vector of int64, as shapes and paddings are. */
  integers(values: readonly number[]): Ref {
    const raw = new Uint8Array(BigInt64Array.from(values, BigInt).buffer);
    return this.initialize('int64', [values.length], raw);
  }

  scalar(value: number): Ref {
    return this.weight(Float32Array.of(value), []);
  }

  /** Appends a node of one output. A left-out input is ''. */
  node(
    operator: string,
    inputs: readonly Ref[],
    attributes: Readonly<Record<string, AttributeValue>> = {},
    domain?: string,
  ): Ref {
    const name = `v${this.nodes.length}`;
    this.nodes.push({ operator, inputs, outputs: [name], attributes, ...(domain ? { domain } : {}) });
    return name;
  }

  /** The model's bytes. */
  finish(): Uint8Array {
    const { nodes, initializers, inputs, outputs } = this;
    return encodeModel({ nodes, initializers, inputs, outputs });
  }

  private initialize(element: Initializer['element'], dims: readonly number[], raw: Uint8Array): Ref {
    const name = `w${this.initializers.length}`;
    this.initializers.push({ name, element, dims, raw });
    return name;
  }
}
