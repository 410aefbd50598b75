/** The command line of Chromium for the tests. */

/**
 * WebGPU with working canvases on a machine without a GPU. With `--enable-unsafe-webgpu` alone a WebGPU canvas,
 * or `dataSync`, kills the GPU process.
 */
export const CHROMIUM_FLAGS = [
  '--no-sandbox',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--enable-unsafe-webgpu',
  '--enable-features=Vulkan',
  '--use-vulkan=swiftshader',
  '--use-angle=swiftshader',
  '--ignore-gpu-blocklist',
  '--disable-gpu-watchdog',
];
