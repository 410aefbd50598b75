/**
 * Runs the suite in Chromium: builds the bench's page, serves it cross-origin isolated beside the weights and
 * onnxruntime-web's files, and starts a page for each backend.
 */
import { createReadStream, existsSync, mkdtempSync, rmSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { type Browser, chromium } from '@playwright/test';
import { build, type PreviewServer, preview } from 'vite';
import { PLAIN_BROWSER, WEBGPU_BROWSER } from '../../e2e/chromium';
import { keepThreadedWasmGlue } from '../../scripts/vite-plugins';
import { type BenchBackend, isSoftware } from '../rows';
import type { SuiteOptions } from '../suite';
import { GRACE_SECONDS, type Message } from './message';

const ROOT = resolve(import.meta.dirname, '../..');
const FOLDERS = {
  '/ort/': join(ROOT, 'node_modules/onnxruntime-web/dist'),
  '/weights/': join(ROOT, 'weights/sky-64'),
} as const;
const TYPES: Readonly<Record<string, string>> = {
  mjs: 'text/javascript',
  wasm: 'application/wasm',
  json: 'application/json',
};
const ISOLATION = {
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Embedder-Policy': 'require-corp',
};

/** Runs each pass, whose options are asked for when it begins; `receive` gets what they say. Gives the browser's name and version. */
export async function runInChromium(
  passes: readonly (() => SuiteOptions)[],
  receive: (message: Message, backend: BenchBackend) => void,
): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'mebt-bench-'));
  let server: PreviewServer | undefined;
  let version = '';
  try {
    await buildPage(folder);
    server = await servePage(folder);
    const address = server.resolvedUrls?.local[0];
    if (!address) throw new Error('The server of the bench got no address.');
    for (const optionsOf of passes) {
      const options = optionsOf();
      const { backend } = options;
      const browser = await launchFor(backend, address);
      version = `Chromium ${browser.version()}`;
      try {
        await runOne(browser, address, options, (message) => receive(message, backend));
      } catch (error) {
        // The other backends can still be measured.
        receive({ type: 'failed', message: error instanceof Error ? error.message : String(error) }, backend);
      } finally {
        await browser.close();
      }
    }
  } finally {
    await server?.close();
    rmSync(folder, { recursive: true, force: true });
  }
  return version;
}

async function buildPage(outDir: string): Promise<void> {
  await build({
    configFile: false,
    root: join(import.meta.dirname, 'page'),
    base: './',
    logLevel: 'warn',
    plugins: [keepThreadedWasmGlue()],
    worker: { format: 'es', plugins: () => [keepThreadedWasmGlue()] },
    build: { target: 'es2022', outDir, emptyOutDir: true, assetsInlineLimit: 0, chunkSizeWarningLimit: 4000 },
  });
}

function servePage(outDir: string): Promise<PreviewServer> {
  const middleware = {
    name: 'mebt:bench-files',
    configurePreviewServer: ({ middlewares }: PreviewServer) => void middlewares.use(serveFolders),
  };
  return preview({
    configFile: false,
    logLevel: 'warn',
    build: { outDir },
    preview: { port: 0, headers: ISOLATION },
    plugins: [middleware],
  });
}

function serveFolders(request: IncomingMessage, response: ServerResponse, next: () => void): void {
  const path = (request.url ?? '').split('?')[0] ?? '';
  const folder = Object.entries(FOLDERS).find(([prefix]) => path.startsWith(prefix))?.[1];
  if (!folder) {
    next();
    return;
  }
  const file = join(folder, basename(path));
  if (!existsSync(file)) {
    response.writeHead(404).end('Not found');
    return;
  }
  const type = TYPES[file.split('.').at(-1) ?? ''] ?? 'application/octet-stream';
  response.writeHead(200, { ...ISOLATION, 'Content-Type': type });
  createReadStream(file).pipe(response);
}

/** With a real adapter where there is one, else with SwiftShader. */
async function launchFor(backend: BenchBackend, address: string): Promise<Browser> {
  if (backend !== 'webgpu') return chromium.launch(PLAIN_BROWSER);
  const hardware = await chromium.launch({
    ...PLAIN_BROWSER,
    args: [
      ...(PLAIN_BROWSER.args ?? []),
      '--enable-unsafe-webgpu',
      '--enable-features=Vulkan',
      '--ignore-gpu-blocklist',
      '--disable-gpu-watchdog',
    ],
  });
  if (await hasAdapter(hardware, address)) return hardware;
  await hardware.close();
  return chromium.launch(WEBGPU_BROWSER);
}

async function hasAdapter(browser: Browser, address: string): Promise<boolean> {
  const page = await browser.newPage();
  await page.goto(address);
  const name = await page.evaluate(async () => {
    const adapter = await navigator.gpu?.requestAdapter();
    if (!adapter || adapter.info.isFallbackAdapter) return null;
    const { vendor, architecture, description } = adapter.info;
    return `${vendor} ${architecture} ${description}`;
  });
  await page.close();
  return name !== null && !isSoftware(name);
}

async function runOne(
  browser: Browser,
  address: string,
  options: SuiteOptions,
  receive: (message: Message) => void,
): Promise<void> {
  const page = await browser.newPage();
  let overtime: NodeJS.Timeout | undefined;
  await new Promise<void>((done, fail) => {
    page.on('crash', () => fail(new Error('The page crashed.')));
    const { seconds } = options.limits;
    if (seconds !== null) {
      const longest = seconds + GRACE_SECONDS;
      overtime = setTimeout(() => fail(new Error(`No end after ${longest.toFixed(0)} s.`)), 1000 * longest);
    }
    const start = async (): Promise<void> => {
      await page.exposeFunction('benchMessage', (message: Message) => {
        receive(message);
        if (message.type === 'done' || message.type === 'failed') done();
      });
      await page.goto(address);
      await page.evaluate((asked) => startBench(asked), options);
    };
    start().catch(fail);
  }).finally(() => clearTimeout(overtime));
  await page.close();
}
