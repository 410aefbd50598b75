/**
 * Vite plugins of this project: weights beside the page, wasm threads that survive minification, and no kernels that
 * nobody calls.
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

const WEBGPU_KERNELS = /tfjs-backend-webgpu\/dist\/register_all_kernels\.js$/;

/** Kernels of image processing, pooling, gradients of 2D networks, signals, strings and sparse tensors. */
export const UNUSED_KERNELS = [
  ...['CropAndResize', 'Draw', 'FlipLeftRight', 'FromPixels', 'ResizeBilinear', 'ResizeBilinearGrad'],
  ...['ResizeNearestNeighbor', 'ResizeNearestNeighborGrad', 'RotateWithOffset', 'Transform'],
  ...['NonMaxSuppressionV3', 'NonMaxSuppressionV5', 'DepthToSpace', 'SpaceToBatchND', 'BatchToSpaceND'],
  ...['AvgPool', 'AvgPool3D', 'AvgPool3DGrad', 'AvgPoolGrad'],
  ...['MaxPool', 'MaxPool3D', 'MaxPool3DGrad', 'MaxPoolGrad', 'MaxPoolWithArgmax'],
  ...['Conv2DBackpropFilter', 'Conv3DBackpropFilterV2', 'DepthwiseConv2dNative', 'FusedDepthwiseConv2D'],
  ...['DepthwiseConv2dNativeBackpropFilter', 'DepthwiseConv2dNativeBackpropInput'],
  ...['Dilation2D', 'Dilation2DBackpropFilter', 'Dilation2DBackpropInput', 'LRN', 'LRNGrad', 'EluGrad'],
  ...['FFT', 'IFFT', 'Einsum', 'Multinomial', 'TopK', 'Bincount', 'DenseBincount', 'SearchSorted'],
  ...['StringNGrams', 'SparseSegmentMean', 'SparseSegmentSum', 'SparseToDense', 'UnsortedSegmentSum'],
] as const;

/**
 * Leaves kernels that nothing here calls out of tfjs's WebGPU backend, which registers every one that it has: a tenth
 * of the page's JavaScript.
 */
export function leaveOutKernels(): Plugin {
  return {
    name: 'mebt:leave-out-kernels',
    transform(code, id) {
      if (!WEBGPU_KERNELS.test(id.split('?')[0] ?? '')) return;
      return { code: UNUSED_KERNELS.reduce((rest, name) => withoutKernel(rest, name), code), map: null };
    },
  };
}

/** Takes the kernel's import and its place in the list out of register_all_kernels.js. */
export function withoutKernel(code: string, name: string): string {
  const line = new RegExp(`import \\{ (\\w+) \\} from '\\./kernels/${name}';\\n`);
  const config = line.exec(code)?.[1];
  const entry = new RegExp(`\\n\\s*${config},`);
  if (!config || !entry.test(code)) {
    throw new Error(
      `vite-plugins: ${name} is no kernel of tfjs-backend-webgpu; look at its list after an upgrade`,
    );
  }
  return code.replace(line, '').replace(entry, '');
}
