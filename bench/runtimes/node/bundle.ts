/**
 * Makes the bench for Node one folder that needs nothing beside it: bench.cjs, tfjs's wasm files, the packages with
 * native or wasm parts, and the weights. For machines with a GPU and without a browser.
 */
import { cpSync, mkdirSync, readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { build } from 'vite';

const ROOT = resolve(import.meta.dirname, '../../..');
const MODULES = join(ROOT, 'node_modules');

/** Not bundled: they find their own binaries beside themselves. */
const EXTERNAL = ['webgpu', 'onnxruntime-web'];
/** With what they need. */
const CARRIED = [...EXTERNAL, 'onnxruntime-common'];

export async function writeBundle(folder: string): Promise<string> {
  mkdirSync(folder, { recursive: true });
  await build({
    configFile: false,
    root: ROOT,
    logLevel: 'warn',
    ssr: { noExternal: true, external: EXTERNAL },
    build: {
      ssr: join(import.meta.dirname, 'suite.ts'),
      outDir: folder,
      emptyOutDir: false,
      copyPublicDir: false,
      target: 'node20',
      rolldownOptions: {
        output: { format: 'cjs', entryFileNames: 'bench.cjs', codeSplitting: false },
      },
    },
  });
  carry(folder);
  return join(folder, 'bench.cjs');
}

function carry(folder: string): void {
  const tfjs = join(MODULES, '@tensorflow/tfjs-backend-wasm/wasm-out');
  for (const file of readdirSync(tfjs).filter((name) => name.endsWith('.wasm'))) {
    cpSync(join(tfjs, file), join(folder, file));
  }
  const weights = join(ROOT, 'weights/sky-64');
  for (const file of readdirSync(weights).filter((name) => /^(manifest\.json|.*\.bin)$/.test(name))) {
    cpSync(join(weights, file), join(folder, 'weights', file));
  }
  const platform = `${process.platform === 'darwin' ? 'darwin-universal' : `${process.platform}-${process.arch}`}`;
  const wanted = (path: string): boolean => {
    if (path.includes('webgpu/dist/')) return path.includes(`dist/${platform}`);
    if (path.includes('onnxruntime-web/dist/'))
      return /ort\.node\.min\.mjs$|ort-wasm-simd-threaded\.(mjs|wasm)$/.test(path);
    return !/\.map$|\/lib\/|\/docs\/|\/build\//.test(path);
  };
  for (const name of CARRIED) {
    const source = join(MODULES, name);
    const target = join(folder, 'node_modules', name);
    cpSync(source, target, {
      recursive: true,
      dereference: true,
      filter: (path) => wanted(path.slice(MODULES.length)),
    });
  }
}
