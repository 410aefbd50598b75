/** How the tests start Chromium. */
import { findBrowser } from '../scripts/browser';

const PLAIN = [
  '--no-sandbox',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/**
 * WebGPU with working canvases on a machine without a GPU. With `--enable-unsafe-webgpu` alone a WebGPU canvas,
 * or `dataSync`, kills the GPU process. Everything that is painted goes through SwiftShader then, at five times the cost,
 * so only the tests that need WebGPU ask for it.
 */
const SOFTWARE_WEBGPU = [
  '--enable-unsafe-webgpu',
  '--enable-features=Vulkan',
  '--use-vulkan=swiftshader',
  '--use-angle=swiftshader',
  '--ignore-gpu-blocklist',
  '--disable-gpu-watchdog',
];

const executablePath = findBrowser();
const found = executablePath ? { executablePath } : {};

export const PLAIN_BROWSER = { ...found, args: PLAIN };
export const WEBGPU_BROWSER = { ...found, args: [...PLAIN, ...SOFTWARE_WEBGPU] };
