/** Command lines of Chromium for the tests. */

const COMMON = [
  '--no-sandbox',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/**
 * WebGPU with working canvases on a machine without a GPU. With `--enable-unsafe-webgpu` alone a WebGPU canvas,
 * or `dataSync`, kills the GPU process.
 */
export const CHROMIUM_FLAGS = [
  ...COMMON,
  '--enable-unsafe-webgpu',
  '--enable-features=Vulkan',
  '--use-vulkan=swiftshader',
  '--use-angle=swiftshader',
  '--ignore-gpu-blocklist',
  '--disable-gpu-watchdog',
];

/** A browser that has neither WebGPU nor WebAssembly. */
export const FLAGS_WITHOUT_ENGINE = [...COMMON, '--disable-features=WebGPU', '--js-flags=--no-expose-wasm'];
