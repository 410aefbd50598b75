/**
 * Vite plugins of this project: weights beside the page, and wasm threads that survive minification.
 */
import { cpSync, existsSync, readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Plugin } from 'vite';

/** Copies `weights/<model>/*.json` and `*.bin` to `dist/weights/<model>/`; the recipe and the model cards stay behind. */
export function copyWeights(): Plugin {
  let root = '';
  let outDir = '';
  return {
    name: 'mebt:copy-weights',
    apply: 'build',
    configResolved(config) {
      root = config.root;
      outDir = resolve(config.root, config.build.outDir);
    },
    writeBundle() {
      const source = join(root, 'weights');
      if (!existsSync(source)) return;
      for (const model of readdirSync(source, { withFileTypes: true })) {
        if (!model.isDirectory() || !existsSync(join(source, model.name, 'manifest.json'))) continue;
        for (const file of readdirSync(join(source, model.name))) {
          if (/\.(json|bin)$/.test(file)) {
            cpSync(join(source, model.name, file), join(outDir, 'weights', model.name, file));
          }
        }
      }
    },
  };
}

const THREADED_GLUE = /tfjs-backend-wasm-threaded-simd\.js$/;

/**
 * tfjs starts its wasm threads from `factory.toString()`, so a minified factory takes its renamed outer variables
 * along into a worker where they do not exist. This gives the factory its original text back.
 */
export function keepThreadedWasmGlue(): Plugin {
  return {
    name: 'mebt:keep-threaded-wasm-glue',
    transform(code, id) {
      if (!THREADED_GLUE.test(id.split('?')[0] ?? '')) return;
      const start = code.indexOf('function(WasmBackendModuleThreadedSimd)');
      const end = code.lastIndexOf('}\n);');
      if (start < 0 || end < start) {
        this.error(
          `${id}: not the glue this plugin knows; look at it again after an upgrade of tfjs-backend-wasm`,
        );
      }
      const text = JSON.stringify(code.slice(start, end + 1));
      const exporting = code.indexOf("if (typeof exports === 'object' && typeof module");
      return {
        code: `${code.slice(0, exporting)}
WasmBackendModuleThreadedSimd.toString = () => ${text};
${code.slice(exporting)}`,
        map: null,
      };
    },
  };
}
