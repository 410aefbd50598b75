/**
 * Float16 inside WGSL programs: in which type the factors of their products are held and multiplied, and the line that
 * lets a program use it. Tensors stay float32; a program rounds what it reads and stores float32.
 *
 * What is rounded: factors, to 11 bits, and the sums of short blocks of products (16 in productTiles.ts, a tile of keys in
 * attention). Blocks are added up in float32, so that the error does not grow with the length of a sum. Sums in float16
 * within a block are what halves the arithmetic on cards that multiply float16 in pairs, where a conversion for each
 * product would cost more than it saves; they make the error of a linear layer two to three times that of rounding the
 * factors alone (seen on lavapipe: up to 9e-4 of the largest value, instead of 4e-4), still a tenth of what int8 weights
 * cost. They do not overflow while 16 products stay under 65,504: weights are within ±1 (packed ones as programs scale
 * them), activations behind a norm or a GELU some tens.
 */
export type Factors = 'f32' | 'f16';

/** In the code of every program that uses float16; `hoistFloat16` looks for it. */
const MARK = '// float16';

/** To be put into the code of a program whose factors these are. */
export function float16Mark(factors: Factors): string {
  return factors === 'f16' ? MARK : '';
}

/**
 * WGSL wants `enable f16;` in front of all else in a module, where tfjs puts its own declarations. So it is put there
 * when a module is made of a program that carries the mark; all others stay as they are.
 */
export function hoistFloat16(device: GPUDevice): void {
  const createShaderModule = device.createShaderModule.bind(device);
  device.createShaderModule = (descriptor) =>
    createShaderModule(
      descriptor.code.includes(MARK)
        ? { ...descriptor, code: `enable f16;\n${descriptor.code}` }
        : descriptor,
    );
}
