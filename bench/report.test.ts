import { describe, expect, it } from 'vitest';
import { UsageError } from '../scripts/commandLine';
import { parseOptions } from './options';
import { passesOf, suiteOptionsOf } from './passes';
import { KEEP_FROM, KEEP_TO, keptOf, markdownReport, textReport } from './report';
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
    expect(
      verdictOn(on('SwiftShader'), 'forward, webgpu on a software adapter: times as fast as tfjs-stock')?.met,
    ).toBe(false);
    expect(verdictOn(on('a card'), 'forward, webgpu on a GPU: times as fast as tfjs-stock')?.met).toBe(true);
  });

  it('says that nothing was measured where a contender could not be run', () => {
    const rows = [row('decode-16', 'ours', 100), row('decode-16', 'onnxruntime-web', null)];
    expect(verdictOn(rows, 'decode, wasm')).toMatchObject({ met: null, values: [] });
  });

  it('gives the exponent of growth with the ratio', () => {
    const rows = [1024, 2048, 4096, 8192].map((n) => row(`narrow-${n}` as CaseName, 'ours', n ** 1.25));
    const verdict = verdictOn(rows, 'forward, wasm: time at 8,192');
    expect(verdict?.values[0]?.label).toBe('narrow, exponent 1.25');
    expect(verdict?.met).toBe(false);
    expect(verdict?.values[0]?.value).toBeCloseTo(8 ** 1.25, 6);
  });

  it('shows what was only estimated, and is not of it', () => {
    const dense = (ms: number | null, estimate?: number) => [
      row('forward-8192', 'ours', 1000),
      row('forward-8192', 'dense', ms, estimate === undefined ? {} : { estimate }),
    ];
    const question = 'forward, wasm, against dense at 8,192 tokens: times as fast';
    expect(verdictOn(dense(null, 50_000), question)).toMatchObject({
      met: null,
      values: [{ value: 50, estimated: true }],
    });
    expect(verdictOn(dense(4000), question)).toMatchObject({ met: false, values: [{ value: 4 }] });
    expect(textReport(dense(null, 50_000))).toContain('~50 (forward-8192, est.)');
  });

  it('does not compare one adapter, or number of threads, with another', () => {
    const rows = [
      row('forward-1024', 'ours', 100),
      row('forward-1024', 'onnxruntime-web', 50, { adapter: '2 threads' }),
      row('forward-1024', 'ours', 40, { adapter: '2 threads' }),
    ];
    expect(verdictOn(rows, 'forward, wasm: times as fast as onnxruntime-web')?.values).toEqual([
      { label: 'forward-1024, 2 threads', value: 1.25 },
    ]);
  });

  it('on memory is of what comes beyond the weights, and of all', () => {
    const rows = [
      row('forward-8192', 'ours', 1, { bytes: 150, activationBytes: 50 }),
      row('forward-8192', 'dense', 1, { bytes: 300, activationBytes: 200 }),
    ];
    const beginning = 'forward, wasm, against dense at 8,192 tokens: times less peak memory';
    expect(verdictOn(rows, `${beginning} beyond`)).toMatchObject({ met: true, values: [{ value: 4 }] });
    expect(verdictOn(rows, `${beginning}, weights`)).toMatchObject({ met: false, values: [{ value: 2 }] });
  });

  it('on twenty generations wants nothing left', () => {
    const grown = (tensors: number, bytes: number) => [
      row('generations-20', 'ours', 5, { growth: { tensors, bytes } }),
    ];
    expect(verdictOn(grown(0, 0), '20 generations')?.met).toBe(true);
    expect(verdictOn(grown(1, 4), '20 generations')?.met).toBe(false);
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

it('what is kept of an earlier report is what stands between the comments', () => {
  const rows = [row('decode-16', 'ours', 5)];
  const circumstances = { command: 'npm run bench', date: '2001-02-03', machine: ['2 cores'] };
  const kept = `${KEEP_FROM}\nOn a card: 7.\n${KEEP_TO}`;
  const first = markdownReport(rows, circumstances, kept);
  expect(keptOf(first)).toBe(kept);
  expect(markdownReport(rows, circumstances, keptOf(first))).toBe(first);
  expect(keptOf(markdownReport(rows, circumstances))).toBe('');
});

describe('passes of a run', () => {
  const passes = (args: readonly string[], cores: number) =>
    passesOf(parseOptions(args), cores).map(({ backend, threads = 0 }) => `${backend} ${threads}`);

  it('have wasm twice: with the threads of the page, and with one or several', () => {
    expect(passes([], 2)).toEqual(['webgpu 0', 'wasm 0', 'wasm 2', 'cpu 0']);
    expect(passes([], 8)).toEqual(['webgpu 0', 'wasm 0', 'wasm 1', 'cpu 0']);
    expect(passes(['--threads', '3', '--only', 'wasm'], 8)).toEqual(['wasm 3']);
    expect(passes(['--runtime', 'node'], 2)).toEqual(['webgpu 0', 'wasm 0', 'cpu 0']);
  });

  it('have the time that is left', () => {
    const options = parseOptions(['--minutes', '10', '--only', 'wasm,cpu', '--threads', '1']);
    const two = passesOf(options, 2);
    const seconds = (place: number, spent: number) =>
      suiteOptionsOf(options, two, place, spent).limits.seconds;
    expect(seconds(0, 0)).toBeCloseTo((600 * 5.3) / 6.5, 6);
    expect(seconds(1, 60)).toBe(540);
    expect(seconds(1, 9999)).toBeCloseTo((0.6 * 600 * 1.2) / 6.5, 6);
    expect(suiteOptionsOf(parseOptions(['--full']), two, 0, 1e9).limits.seconds).toBeNull();
  });
});

describe('the command line', () => {
  it('sorts what --only names', () => {
    const { backends, suite } = parseOptions(['--only', 'forward,decode-16,wasm,ours', '--only', 'dense']);
    expect(backends).toEqual(['wasm']);
    expect(suite.cases).toEqual([
      'forward-128',
      'forward-1024',
      'forward-2048',
      'forward-4096',
      'forward-8192',
      'decode-16-small',
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
