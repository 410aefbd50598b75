/** Writes Python pickles (protocol 2) of plain values, tensors and objects of any class. For tests and scripts. */

/** A tensor whose elements lie in a storage of the file. */
export interface PickledTensor {
  readonly kind: 'tensor';
  /** `FloatStorage`, … */
  readonly storage: string;
  readonly key: string;
  /** Elements of the storage. */
  readonly elements: number;
  readonly offset: number;
  readonly shape: readonly number[];
  readonly stride: readonly number[];
}

/** An instance made without arguments, then given its state. */
export interface PickledObject {
  readonly kind: 'object';
  readonly module: string;
  readonly className: string;
  readonly state: PickledValue;
}

export type PickledValue =
  | null
  | boolean
  | number
  | string
  | readonly PickledValue[]
  | ReadonlyMap<PickledValue, PickledValue>
  | PickledTensor
  | PickledObject;

export const dict = (fields: Readonly<Record<string, PickledValue>>): Map<PickledValue, PickledValue> =>
  new Map(Object.entries(fields));

export function writePickle(value: PickledValue): Uint8Array<ArrayBuffer> {
  const out: number[] = [0x80, 2];
  put(out, value);
  out.push(0x2e); // STOP
  return Uint8Array.from(out);
}

const ascii = (text: string): number[] => Array.from(new TextEncoder().encode(text));
const uint32 = (n: number): number[] => [n & 255, (n >>> 8) & 255, (n >>> 16) & 255, (n >>> 24) & 255];

function put(out: number[], value: PickledValue): void {
  if (value === null) out.push(0x4e);
  else if (typeof value === 'boolean') out.push(value ? 0x88 : 0x89);
  else if (typeof value === 'number') putNumber(out, value);
  else if (typeof value === 'string') {
    const bytes = ascii(value);
    out.push(0x58, ...uint32(bytes.length), ...bytes); // BINUNICODE
  } else if (value instanceof Map) {
    out.push(0x7d, 0x28); // EMPTY_DICT MARK
    for (const [key, item] of value) {
      put(out, key);
      put(out, item);
    }
    out.push(0x75); // SETITEMS
  } else if (isList(value)) {
    out.push(0x5d, 0x28); // EMPTY_LIST MARK
    for (const item of value) put(out, item);
    out.push(0x65); // APPENDS
  } else if (isTensor(value)) putTensor(out, value);
  else putObject(out, value as PickledObject);
}

const isList = (value: PickledValue): value is readonly PickledValue[] => Array.isArray(value);
const isTensor = (value: PickledValue): value is PickledTensor =>
  (value as { kind?: string })?.kind === 'tensor';

function putNumber(out: number[], value: number): void {
  if (Number.isInteger(value) && Math.abs(value) < 2 ** 31) {
    out.push(0x4a, ...uint32(value)); // BININT
  } else if (Number.isInteger(value)) {
    const bytes = new Uint8Array(BigInt64Array.of(BigInt(value)).buffer);
    out.push(0x8a, 8, ...bytes); // LONG1
  } else {
    const view = new DataView(new ArrayBuffer(8));
    view.setFloat64(0, value);
    out.push(0x47, ...new Uint8Array(view.buffer)); // BINFLOAT
  }
}

const putGlobal = (out: number[], module: string, name: string): void => {
  out.push(0x63, ...ascii(`${module}\n${name}\n`));
};

function putTuple(out: number[], items: readonly PickledValue[]): void {
  out.push(0x28);
  for (const item of items) put(out, item);
  out.push(0x74);
}

/** torch._utils._rebuild_tensor_v2(storage, offset, shape, stride, requires_grad, hooks) */
function putTensor(out: number[], tensor: PickledTensor): void {
  putGlobal(out, 'torch._utils', '_rebuild_tensor_v2');
  out.push(0x28, 0x28); // MARK MARK
  put(out, 'storage');
  putGlobal(out, 'torch', tensor.storage);
  for (const part of [tensor.key, 'cpu', tensor.elements]) put(out, part);
  out.push(0x74, 0x51); // TUPLE BINPERSID
  put(out, tensor.offset);
  putTuple(out, tensor.shape);
  putTuple(out, tensor.stride);
  put(out, false);
  putGlobal(out, 'collections', 'OrderedDict');
  out.push(0x29, 0x52); // EMPTY_TUPLE REDUCE
  out.push(0x74, 0x52); // TUPLE REDUCE
}

function putObject(out: number[], { module, className, state }: PickledObject): void {
  putGlobal(out, module, className);
  out.push(0x29, 0x81); // EMPTY_TUPLE NEWOBJ
  put(out, state);
  out.push(0x62); // BUILD
}
