/**
 * Float16 inside WGSL programs: in which type the factors of their products are held and multiplied, and the line that
 * lets a program use it. Tensors stay float32; a program rounds what it reads and stores float32.
 *
 * What is rounded: factors, to 11 bits, and the sums of short blocks of products (8 in productTiles.ts, d/4 and a tile of
 * keys in attention). Blocks are added up in float32, so that the error does not grow with the length of a sum. Sums in
 * float16 within a block are what halves the arithmetic on cards that multiply float16 in pairs, where a conversion for
 * each product would cost more than it saves. They about double the error of rounding the factors alone (lavapipe: up to
 * 8e-4 of a layer's largest value, instead of 4e-4); with blocks of 16 decoded video was off by more than a grey level,
 * with 8 it is not. Logits are off by a tenth of what int8 weights cost (golden/compare.ts has the limits of whole models).
 * Blocks do not overflow while 8 products stay under 65,504: weights are within ±1 (packed ones as programs scale them),
 * activations behind a norm or a GELU some tens.
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
