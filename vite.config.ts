/**
 * How the page is served and built. The plugins that are ours live in scripts/vite-plugins.ts.
 */
import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';
import { copyWeights, keepThreadedWasmGlue, leaveOutKernels } from './scripts/vite-plugins';

/** A page that is cross-origin isolated may share memory between threads, which WebAssembly threads need. */
const ISOLATION = {
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Embedder-Policy': 'require-corp',
};

export default defineConfig({
  // Relative addresses: dist/ works under any path of any static host.
  base: './',
  // A file that is missing is answered by 404 and not by index.html, as a static host does.
  appType: 'mpa',
  plugins: [react(), copyWeights(), keepThreadedWasmGlue(), leaveOutKernels()],
  worker: { format: 'es', plugins: () => [keepThreadedWasmGlue(), leaveOutKernels()] },
  build: { target: 'es2022', assetsInlineLimit: 0, chunkSizeWarningLimit: 700 },
  server: { headers: ISOLATION },
  preview: { headers: ISOLATION },
});
