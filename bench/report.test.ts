import { describe, expect, it } from 'vitest';
import { parseOptions, UsageError } from './options';
import { markdownReport, textReport } from './report';
import type { CaseName, ContenderName, Row } from './rows';
import { verdicts } from './targets';

const row = (name: CaseName, contender: ContenderName, ms: number | null, more: Partial<Row> = {}): Row => ({
  case: name,
  backend: 'wasm',
  adapter: '1 thread',
  contender,
  ms: { median: ms, min: ms, max: ms },
  gflops: null,
  bytes: null,
  activationBytes: null,
  runs: 3,
  work: 'all of it',
  difference: null,
  share: null,
  ...more,
});

const verdictOn = (rows: readonly Row[], beginning: string) =>
  verdicts(rows).find(({ question }) => question.startsWith(beginning));

describe('a verdict', () => {
  it('is of the worst case', () => {
    const rows = [
      row('forward-1024', 'ours', 100),
      row('forward-1024', 'onnxruntime-web', 120),
      row('forward-2048', 'ours', 200),
      row('forward-2048', 'onnxruntime-web', 150),
    ];
    expect(verdictOn(rows, 'forward, wasm: times as fast as onnxruntime-web')).toMatchObject({
      met: false,
      values: [
        { label: 'forward-2048', value: 0.75 },
        { label: 'forward-1024', value: 1.2 },
      ],
    });
  });

  it('asks less on a GPU than on a software adapter', () => {
    const on = (adapter: string): Row[] => [
      row('forward-1024', 'ours', 100, { backend: 'webgpu', adapter }),
      row('forward-1024', 'tfjs-stock', 400, { backend: 'webgpu', adapter }),
    ];
    expect(verdictOn(on('SwiftShader'), 'forward, webgpu: times as fast as tfjs-stock')?.met).toBe(false);
    expect(verdictOn(on('a card'), 'forward, webgpu: times as fast as tfjs-stock')?.met).toBe(true);
  });

  it('says that nothing was measured where a contender could not be run', () => {
    const rows = [row('decode-16', 'ours', 100), row('decode-16', 'onnxruntime-web', null)];
    expect(verdictOn(rows, 'decode, wasm')).toMatchObject({ met: null, values: [] });
  });

  it('gives the exponent of growth with the ratio', () => {
    const rows = [1024, 2048, 4096, 8192].map((n) => row(`forward-${n}` as CaseName, 'ours', n ** 1.25));
    const verdict = verdictOn(rows, 'forward, wasm: time at 8,192');
    expect(verdict?.question).toContain('exponent 1.25');
    expect(verdict?.met).toBe(false);
    expect(verdict?.values[0]?.value).toBeCloseTo(8 ** 1.25, 6);
  });
});

describe('a report', () => {
  const rows = [
    row('decode-16', 'ours', 1234.5, { gflops: 20.04, share: 0.713, bytes: 3 * 2 ** 20 }),
    row('decode-16', 'onnxruntime-web', null, { note: 'not run: no | such op' }),
  ];

  it('shows numbers to three digits, and why there are none', () => {
    const text = textReport(rows);
    expect(text).toContain('wasm, 1 thread: decode-16, all of it');
    expect(text).toMatch(/ours\s+1,235\s+1,235–1,235\s+3\s+20\.0\s+71%\s+3\.00/);
    expect(text).toMatch(/onnxruntime-web\s+not run: no \| such op/);
  });

  it('is Markdown with its circumstances, and says what a software adapter is good for', () => {
    const markdown = markdownReport(
      [...rows, row('decode-16', 'ours', 5, { backend: 'webgpu', adapter: 'SwiftShader' })],
      {
        command: 'npm run bench -- --quick',
        date: '2001-02-03',
        machine: ['2 cores'],
      },
    );
    expect(markdown).toContain('`npm run bench -- --quick`, 2001-02-03.');
    expect(markdown).toContain('- 2 cores');
    expect(markdown).toContain('not run: no \\| such op');
    expect(markdown).toContain('SwiftShader (software adapter: ratios only)');
  });
});

describe('the command line', () => {
  it('sorts what --only names', () => {
    const { backends, suite } = parseOptions(['--only', 'forward,decode-16,wasm,ours', '--only', 'dense']);
    expect(backends).toEqual(['wasm']);
    expect(suite.cases).toEqual([
      'forward-1024',
      'forward-2048',
      'forward-4096',
      'forward-8192',
      'decode-16',
    ]);
    expect(suite.contenders).toEqual(['ours', 'dense']);
  });

  it.each([
    [['--only', 'webgl'], 'webgl'],
    [['--runtime', 'deno'], 'deno'],
    [['--runs', 'few'], 'few'],
    [['--quick', '--full'], '--full'],
  ])('refuses %j', (args, named) => {
    expect(() => parseOptions(args)).toThrow(UsageError);
    expect(() => parseOptions(args)).toThrow(named);
  });
});
