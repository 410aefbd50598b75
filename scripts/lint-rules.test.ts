/**
 * Proves that the lint rules bite: a small tree of violating files is linted once with the project's own
 * biome.json, and every one of them must be reported under the rule it breaks (and the allowed ones not at all).
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const RESTRICTED = 'lint/style/noRestrictedImports';

/** Importing file → specifiers that ARCHITECTURE.md forbids there. */
const FORBIDDEN: Record<string, readonly string[]> = {
  'src/config/a.ts': [
    'react',
    '@tensorflow/tfjs-core',
    '../model/x',
    '../loader/manifest',
    '../worker/protocol',
  ],
  'src/kernels/op/a.ts': [
    '../../model/x',
    '../../loader/x',
    '../../pipeline/x',
    '../../worker/protocol',
    'react',
  ],
  'src/model/a.ts': [
    '../loader/manifest',
    '../sampling/x',
    '../pipeline/x',
    '../video/x',
    '../ui/x',
    'node:fs',
  ],
  'src/loader/a.ts': [
    '../model',
    '../model/x',
    '../sampling/x',
    '../pipeline/x',
    '../worker/protocol',
    '../store/x',
  ],
  'src/sampling/a.ts': [
    '@tensorflow/tfjs-core',
    '../model/x',
    '../kernels/op/x',
    '../loader/x',
    '../pipeline/x',
  ],
  'src/pipeline/a.ts': [
    '../worker/worker',
    '../worker/client',
    '../video/x',
    '../store/x',
    '../ui/x',
    'zustand',
  ],
  'src/video/a.ts': [
    '@tensorflow/tfjs-core',
    '../pipeline/x',
    '../model/x',
    '../store/x',
    '../worker/worker',
  ],
  'src/worker/worker.ts': [
    '../ui/x',
    '../store/x',
    '../model/x',
    '../sampling/x',
    'react',
    'zustand/vanilla',
  ],
  'src/worker/client/a.ts': [
    '../../pipeline/x',
    '../../loader/manifest',
    '../worker',
    '../host',
    '@tensorflow/tfjs-core',
    'react',
  ],
  'src/worker/protocol.ts': ['./worker', '../pipeline/x', '../video/x', 'zustand/vanilla'],
  'src/store/a.ts': ['../ui/x', '../worker/worker', '../pipeline/x', '../video/x', 'react', 'zustand'],
  'src/ui/a.tsx': [
    '../worker/client',
    '../worker/worker',
    '../pipeline/x',
    '../loader/x',
    '@tensorflow/tfjs-core',
  ],
  'src/main.tsx': ['./loader', './pipeline/x', './worker/worker', './model/x', '@tensorflow/tfjs'],
};

/** Importing file → specifiers that it is meant to use. */
const ALLOWED: Record<string, readonly string[]> = {
  'src/config/b.ts': ['./model'],
  'src/kernels/op/b.ts': ['../../config/model', './program', '../shader', '@tensorflow/tfjs-core'],
  'src/model/b.ts': ['../kernels/op/x', '../config/model', './parameters', '@tensorflow/tfjs-core'],
  'src/loader/b.ts': ['../kernels/op/x', '../config/model', './manifest', '@tensorflow/tfjs-core'],
  'src/sampling/b.ts': ['../config/generation', './random'],
  'src/pipeline/b.ts': [
    '../model/x',
    '../sampling/x',
    '../loader/x',
    '../config/model',
    '../worker/protocol',
  ],
  'src/video/b.ts': ['../worker/protocol', '../config/model', 'mediabunny', 'gifenc'],
  'src/worker/jobs.ts': [
    '../pipeline/x',
    '../video/x',
    './protocol',
    '../config/model',
    '@tensorflow/tfjs-core',
  ],
  'src/worker/client/b.ts': ['../protocol', '../../config/generation', './connection'],
  'src/store/b.ts': ['../worker/client', '../worker/protocol', '../config/generation', 'zustand/vanilla'],
  'src/ui/b.tsx': [
    '../store/x',
    '../config/generation',
    '../worker/protocol',
    './parts/x',
    'react',
    'zustand',
  ],
  'src/model/b.test.ts': ['../pipeline/x', 'node:fs', '../loader/x'],
};

const OTHER_VIOLATIONS: Record<string, { readonly code: string; readonly rule: string }> = {
  'src/model/any.ts': { code: 'export const x: any = 1;', rule: 'lint/suspicious/noExplicitAny' },
  'src/model/bang.ts': {
    code: 'export const f = (x?: string) => x!.length;',
    rule: 'lint/style/noNonNullAssertion',
  },
  'src/model/floating.ts': {
    code: 'async function f(): Promise<void> {}\nexport function g(): void {\n  f();\n}',
    rule: 'lint/nursery/noFloatingPromises',
  },
  'src/model/cycleA.ts': {
    code: "import { b } from './cycleB';\nexport const a = () => b;",
    rule: 'lint/suspicious/noImportCycles',
  },
  'src/model/cycleB.ts': {
    code: "import { a } from './cycleA';\nexport const b = () => a;",
    rule: 'lint/suspicious/noImportCycles',
  },
  'src/ui/effect.tsx': {
    code: "import { useEffect } from 'react';\nexport function useTitle(title: string): void {\n  useEffect(() => {\n    document.title = title;\n  }, []);\n}",
    rule: 'lint/correctness/useExhaustiveDependencies',
  },
};

interface Diagnostic {
  readonly category: string;
  readonly file: string;
  readonly line: number;
}

const tree = mkdtempSync(join(tmpdir(), 'lint-rules-'));
let diagnostics: readonly Diagnostic[] = [];

function write(file: string, code: string): void {
  const path = join(tree, file);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, `${code}\n`);
}

/** One `import` a line, so that a diagnostic's line tells which specifier it is about. */
const importing = (specifiers: readonly string[]) =>
  specifiers.map((specifier, i) => `import * as m${i} from '${specifier}';`).join('\n');

beforeAll(() => {
  const root = resolve(import.meta.dirname, '..');
  cpSync(join(root, 'biome.json'), join(tree, 'biome.json'));
  cpSync(join(root, 'package.json'), join(tree, 'package.json'));
  symlinkSync(join(root, 'node_modules'), join(tree, 'node_modules'));
  execFileSync('git', ['init', '-q'], { cwd: tree });
  write('.gitignore', 'node_modules');
  for (const [file, specifiers] of [...Object.entries(FORBIDDEN), ...Object.entries(ALLOWED)]) {
    write(file, importing(specifiers));
  }
  for (const [file, { code }] of Object.entries(OTHER_VIOLATIONS)) write(file, code);
  const binary = join(root, 'node_modules', '@biomejs', 'biome', 'bin', 'biome');
  const { stdout } = spawnSync(
    process.execPath,
    [binary, 'lint', '--reporter=json', '--max-diagnostics=none', 'src'],
    { cwd: tree, encoding: 'utf8' },
  );
  diagnostics = parseDiagnostics(stdout);
});

afterAll(() => rmSync(tree, { recursive: true, force: true }));

function parseDiagnostics(json: string): Diagnostic[] {
  const report = JSON.parse(json) as {
    diagnostics: { category: string; location: { path: string; start: { line: number } } }[];
  };
  return report.diagnostics.map(({ category, location }) => ({
    category,
    file: location.path,
    line: location.start.line,
  }));
}

const reported = (file: string, rule: string) =>
  diagnostics
    .filter((d) => d.file === file && d.category === rule)
    .map((d) => d.line)
    .sort();

describe('who may import whom', () => {
  it.each(Object.keys(FORBIDDEN))('%s: every forbidden import is an error', (file) => {
    const lines = FORBIDDEN[file]?.map((_, i) => i + 1);
    expect(reported(file, RESTRICTED)).toEqual(lines);
  });

  it.each(Object.keys(ALLOWED))('%s: what it is meant to import passes', (file) => {
    expect(reported(file, RESTRICTED)).toEqual([]);
  });
});

describe('other rules', () => {
  it.each(Object.entries(OTHER_VIOLATIONS))('%s is reported', (file, { rule }) => {
    expect(reported(file, rule).length).toBeGreaterThan(0);
  });
});
