/**
 * The server of the browser tests: `vite preview` of dist/ as it is, and beside it `weights/tiny/`, a model of a few
 * thousand random weights that is made here and never lies in dist/. Not for visitors: `npm start` is.
 */
import { spawnSync } from 'node:child_process';
import { createReadStream, existsSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { preview } from 'vite';

const root = resolve(import.meta.dirname, '..');
const TINY = '/weights/tiny/';

if (!existsSync(join(root, 'dist', 'index.html'))) {
  throw new Error('dist/index.html is missing: run `npm run build` before the browser tests.');
}

const folder = mkdtempSync(join(tmpdir(), 'mebt-tiny-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(0));

const made = spawnSync('npx', ['tsx', join(root, 'scripts', 'make-tiny-model.ts'), folder], {
  cwd: root,
  stdio: 'inherit',
  shell: process.platform === 'win32',
});
if (made.status !== 0) throw new Error('scripts/make-tiny-model.ts failed; see its message above.');

/** Answers for `weights/tiny/`, with the types and the 404s that a static host gives. */
function serveTiny(request: IncomingMessage, response: ServerResponse, next: () => void): void {
  const path = (request.url ?? '').split('?')[0] ?? '';
  if (!path.startsWith(TINY)) {
    next();
    return;
  }
  const file = join(folder, basename(path));
  if (!existsSync(file)) {
    response.writeHead(404).end('Not found');
    return;
  }
  const type = file.endsWith('.json') ? 'application/json' : 'application/octet-stream';
  response.writeHead(200, {
    'Content-Type': type,
    'Content-Length': statSync(file).size,
    'Cross-Origin-Resource-Policy': 'same-origin',
  });
  createReadStream(file).pipe(response);
}

const server = await preview({
  root,
  preview: { port: Number(process.env.E2E_PORT ?? 4174), strictPort: true },
  plugins: [
    {
      name: 'mebt:tiny-model',
      configurePreviewServer({ middlewares }) {
        middlewares.use(serveTiny);
      },
    },
  ],
});
server.printUrls();
