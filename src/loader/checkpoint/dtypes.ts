/** PyTorch's and safetensors' element types: sizes, names, and how their bytes become numbers. Little endian. */
import { CheckpointError } from './source';

/** Bytes of an element, of what can be read. */
const READABLE = {
  float64: 8,
  float32: 4,
  float16: 2,
  bfloat16: 2,
  int64: 8,
  int32: 4,
  int16: 2,
  int8: 1,
  uint8: 1,
  bool: 1,
} as const;

/** No weights come in the others. Files may hold them beside what is wanted, so that their sizes must be known. */
export const ITEM_BYTES = {
  ...READABLE,
  complex64: 8,
  complex128: 16,
  uint16: 2,
  uint32: 4,
  uint64: 8,
  float8: 1,
  quantized8: 1,
  quantized32: 4,
  untyped: 1,
} as const;
export type Dtype = keyof typeof ITEM_BYTES;

/** Elements as read: int64 stays exact, bool is 0 or 1, 16-bit floats are widened to float32. */
export type Elements =
  | Float64Array<ArrayBuffer>
  | Float32Array<ArrayBuffer>
  | BigInt64Array<ArrayBuffer>
  | Int32Array<ArrayBuffer>
  | Int16Array<ArrayBuffer>
  | Int8Array<ArrayBuffer>
  | Uint8Array<ArrayBuffer>;

const STORAGES: Readonly<Record<string, Dtype>> = {
  DoubleStorage: 'float64',
  FloatStorage: 'float32',
  HalfStorage: 'float16',
  BFloat16Storage: 'bfloat16',
  LongStorage: 'int64',
  IntStorage: 'int32',
  ShortStorage: 'int16',
  CharStorage: 'int8',
  ByteStorage: 'uint8',
  BoolStorage: 'bool',
  ComplexFloatStorage: 'complex64',
  ComplexDoubleStorage: 'complex128',
  QInt8Storage: 'quantized8',
  QUInt8Storage: 'quantized8',
  QUInt4x2Storage: 'quantized8',
  QUInt2x4Storage: 'quantized8',
  QInt32Storage: 'quantized32',
  UntypedStorage: 'untyped',
};

/** `torch.FloatStorage` → float32. @throws CheckpointError where not even its size is known */
export function storageDtype(className: string): Dtype {
  const dtype = Object.hasOwn(STORAGES, className) ? STORAGES[className] : undefined;
  if (dtype) return dtype;
  throw new CheckpointError(`it has a storage of the kind torch.${className}, which is not known`);
}

const SAFETENSORS: Readonly<Record<string, Dtype>> = {
  F64: 'float64',
  F32: 'float32',
  F16: 'float16',
  BF16: 'bfloat16',
  I64: 'int64',
  I32: 'int32',
  I16: 'int16',
  I8: 'int8',
  U8: 'uint8',
  BOOL: 'bool',
  C64: 'complex64',
  U16: 'uint16',
  U32: 'uint32',
  U64: 'uint64',
  F8_E4M3: 'float8',
  F8_E5M2: 'float8',
  F8_E8M0: 'float8',
};

/** @throws CheckpointError where not even its size is known */
export function safetensorsDtype(name: string): Dtype {
  const dtype = Object.hasOwn(SAFETENSORS, name) ? SAFETENSORS[name] : undefined;
  if (dtype) return dtype;
  throw new CheckpointError(`it has a tensor of the type ${name}, which is not known`);
}

/** `bytes` hold whole elements and are the caller's own buffer: where nothing is widened, the elements share it. */
export function decodeElements(dtype: Dtype, bytes: Uint8Array<ArrayBuffer>): Elements {
  const whole = bytes.byteOffset === 0 && bytes.byteLength === bytes.buffer.byteLength;
  const { buffer } = whole ? bytes : bytes.slice();
  switch (dtype) {
    case 'float64':
      return new Float64Array(buffer);
    case 'float32':
      return new Float32Array(buffer);
    case 'float16':
      return widen(new Uint16Array(buffer), float16Bits());
    case 'bfloat16':
      return widen(new Uint16Array(buffer), null);
    case 'int64':
      return new BigInt64Array(buffer);
    case 'int32':
      return new Int32Array(buffer);
    case 'int16':
      return new Int16Array(buffer);
    case 'int8':
      return new Int8Array(buffer);
    case 'uint8':
    case 'bool':
      return new Uint8Array(buffer);
    default:
      throw new CheckpointError(
        `a tensor that is wanted has the type ${dtype}; ${Object.keys(READABLE).join(', ')} can be read`,
      );
  }
}

/** 16-bit floats as float32: through a table of bits, or, for bfloat16, as the upper half. */
function widen(halves: Uint16Array, table: Uint32Array | null): Float32Array<ArrayBuffer> {
  const bits = new Uint32Array(halves.length);
  for (let i = 0; i < halves.length; i++) {
    const half = halves[i] ?? 0;
    bits[i] = table ? (table[half] ?? 0) : half << 16;
  }
  return new Float32Array(bits.buffer);
}

let halfTable: Uint32Array | undefined;

/** The float32 bits of every half: a checkpoint holds hundreds of millions of them. */
function float16Bits(): Uint32Array {
  halfTable ??= new Uint32Array(
    Float32Array.from({ length: 65_536 }, (_, bits) => float16ToNumber(bits)).buffer,
  );
  return halfTable;
}

/** IEEE half precision: 1 sign, 5 exponent, 10 mantissa bits. */
function float16ToNumber(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const mantissa = bits & 1023;
  if (exponent === 31) return mantissa ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return sign * (exponent === 0 ? mantissa * 2 ** -24 : (1 + mantissa / 1024) * 2 ** (exponent - 15));
}
