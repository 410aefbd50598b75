/** `npm run compare-weights`: what a storage of weights changes of what is drawn (see HELP in options.ts). */
import { readFile, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { UsageError } from '../../scripts/commandLine';
import { optionsFor } from '../../scripts/generationFlags';
import type { GenerationOptions } from '../../src/config/generation';
import { downsampleOf, type Extent3 } from '../../src/config/model';
import { switchBackend } from '../../src/kernels/testing/backends';
import { loadWeights, type Manifest, type StoredWeights } from '../../src/loader';
import { readTransformer, type TransformerParameters, tellScene } from '../../src/model/transformer';
import { sceneOf } from '../../src/pipeline/generate';
import { planMemory } from '../../src/pipeline/memory';
import { predictorOf } from '../../src/pipeline/predict';
import { sampleTokens } from '../../src/sampling/generate';
import { textTable } from '../report';
import { follow, type StepDifference, type Summary, summaryOf } from './follow';
import { type CommandLine, HELP, parseCommandLine } from './options';
import { type RecordedStep, type Recording, recordStep } from './recording';

interface Loaded {
  readonly name: string;
  readonly manifest: Manifest;
  readonly transformer: TransformerParameters;
}

/** Bytes on a WebGPU device, where matrices stay packed. */
interface DeviceBytes {
  readonly transformer: number;
  /** With the tokenizer's decoder, whose kernels are float32 there. */
  readonly whole: number;
}

interface Comparison {
  readonly model: string;
  readonly weights: string;
  readonly all: Summary;
  readonly bytes: DeviceBytes;
  /** Bytes as shares of the reference's. */
  readonly share: DeviceBytes;
  /** Of the finished tokens, where each ran on its own states. */
  readonly free?: number;
  readonly steps: readonly StepDifference[];
}

async function main(): Promise<void> {
  const commandLine = parseCommandLine(process.argv.slice(2));
  if (commandLine === 'help') return console.log(HELP);
  if (!(await switchBackend('wasm'))) throw new Error('wasm is not on this machine');
  const [first, ...folders] = commandLine.models;
  if (!first) throw new UsageError('the reference is missing');
  const reference = await load(first);
  const others: Loaded[] = [];
  for (const folder of folders) {
    if (commandLine.only.length === 0) others.push(await load(folder));
    for (const only of commandLine.only) others.push(await load(folder, { only, rest: first }));
  }
  const model = reference.manifest.model;
  for (const { name, manifest } of others) {
    if (JSON.stringify(manifest.model.transformer) !== JSON.stringify(model.transformer)) {
      throw new UsageError(
        `${name} is another model than ${reference.name}: their transformers differ in size`,
      );
    }
  }
  const options = optionsFor(model, commandLine.settings);
  const scene = sceneOf(reference, options);
  const [, h, w] = model.grid;
  const grid: Extent3 = [Math.ceil(options.frames / downsampleOf(model.tokenizer)[0]), h, w];
  const told = (loaded: Loaded): Loaded =>
    scene ? { ...loaded, transformer: tellScene(loaded.transformer, scene, grid) } : loaded;
  const recorded: RecordedStep[] = [];
  const { differences, tokens } = await follow(
    told(reference).transformer,
    others.map(told),
    { options, grid },
    (request, draws, logits) => {
      process.stderr.write(`\rstep ${request.step + 1}, ${request.target.length} masked `);
      if (request.step % 3 === 0) recorded.push(recordStep(request, draws, logits));
    },
  );
  process.stderr.write('\n');
  const comparisons: Comparison[] = [];
  for (const [i, other] of others.entries()) {
    const free = commandLine.free ? await freeRun(told(other), { options, grid }, tokens) : undefined;
    comparisons.push(compared(reference.manifest, other, differences[i] ?? [], free));
  }
  await report({ reference, options, grid, comparisons, recorded }, commandLine);
}

/** `rest`: the folder that all tensors but those of the names `only` come from. */
async function load(
  folder: string,
  part?: { readonly only: RegExp; readonly rest: string },
): Promise<Loaded> {
  const own = await stored(folder);
  const rest = part ? await stored(part.rest) : own;
  const from = (name: string): StoredWeights => (part && !part.only.test(name) ? rest : own);
  const transformer = readTransformer(own.manifest.model.transformer, {
    tensor: (name, shape) => from(name).tensor(name, shape),
    matrix: (name, shape) => from(name).matrix(name, shape),
  });
  own.release();
  rest.release();
  const tensors = own.manifest.tensors.map(
    (entry) => from(entry.name).manifest.tensors.find(({ name }) => name === entry.name) ?? entry,
  );
  return {
    name: part ? `${basename(folder)}, ${part.only.source}` : basename(folder),
    manifest: { ...own.manifest, tensors },
    transformer,
  };
}

function stored(folder: string): Promise<StoredWeights> {
  const fromDisk = async (url: string): Promise<Response> => new Response(await readFile(fileURLToPath(url)));
  return loadWeights(pathToFileURL(join(folder, 'manifest.json')).href, { fetch: fromDisk });
}

async function freeRun(
  { transformer }: Loaded,
  run: { readonly options: GenerationOptions; readonly grid: Extent3 },
  tokens: Int32Array,
): Promise<number> {
  let own = new Int32Array(0);
  const { predict, dispose } = predictorOf(transformer);
  try {
    for await (const step of sampleTokens({ ...run, predict })) own = step.tokens;
  } finally {
    dispose();
  }
  return own.filter((code, i) => code === tokens[i]).length / own.length;
}

function compared(
  reference: Manifest,
  { name, manifest }: Loaded,
  steps: readonly StepDifference[],
  free: number | undefined,
): Comparison {
  const [ours, theirs] = [deviceBytes(manifest), deviceBytes(reference)];
  return {
    model: name,
    weights: manifest.sha256,
    all: summaryOf(steps),
    bytes: ours,
    share: { transformer: ours.transformer / theirs.transformer, whole: ours.whole / theirs.whole },
    ...(free === undefined ? {} : { free }),
    steps,
  };
}

function deviceBytes(manifest: Manifest): DeviceBytes {
  const tensors = manifest.tensors.filter(({ name }) => name.startsWith('transformer.'));
  const weights = (of: Manifest): number => planMemory(of, { backend: 'webgpu' }, 1).weights;
  return { transformer: weights({ ...manifest, tensors }), whole: weights(manifest) };
}

interface Findings {
  readonly reference: Loaded;
  readonly options: GenerationOptions;
  readonly grid: Extent3;
  readonly comparisons: readonly Comparison[];
  readonly recorded: readonly RecordedStep[];
}

async function report(findings: Findings, { json, record }: CommandLine): Promise<void> {
  const { reference, options, grid, comparisons, recorded } = findings;
  const { seed, steps, revisePasses } = options;
  console.log(
    `${reference.name} (${reference.manifest.sha256.slice(0, 12)}), ${grid.join('×')} tokens, ${steps} steps, ${revisePasses} revise passes, seed ${seed}\n`,
  );
  for (const { model, steps: each } of comparisons) {
    const head = ['step', 'masked', 'equal', 'relative L2', 'largest error'];
    const rows = each.map((step) => {
      const { targets, equal, relativeError, largestError } = summaryOf([step]);
      return [
        String(step.step + 1),
        String(targets),
        percent(equal),
        ...[relativeError, largestError].map(digits),
      ];
    });
    console.log(`${model}, step by step\n${textTable(head, rows)}\n`);
  }
  console.log(overview(comparisons));
  if (json) {
    const found = {
      reference: reference.name,
      weights: reference.manifest.sha256,
      options,
      grid,
      comparisons,
    };
    await writeFile(json, `${JSON.stringify(found, null, 1)}\n`);
  }
  if (record) {
    const { name: model, sha256: weights } = reference.manifest;
    const recording: Recording = { model, weights, options, grid, steps: recorded };
    await writeFile(record, `${JSON.stringify(recording, null, 1)}\n`);
  }
}

function overview(comparisons: readonly Comparison[]): string {
  const head = [
    'all steps',
    'drawn',
    'equal',
    'relative L2',
    'largest error',
    'differing: near-ties',
    'transformer bytes',
    'all bytes',
    'free-running: equal',
  ];
  const rows = comparisons.map(({ model, all, share, free }) => [
    model,
    String(all.targets),
    percent(all.equal),
    digits(all.relativeError),
    digits(all.largestError),
    all.nearTies === null ? '' : percent(all.nearTies),
    share.transformer.toFixed(3),
    share.whole.toFixed(3),
    free === undefined ? '' : percent(free),
  ]);
  return textTable(head, rows);
}

const percent = (share: number): string => `${(100 * share).toFixed(2)}%`;
const digits = (value: number): string => value.toExponential(2);

try {
  await main();
} catch (error) {
  const usage = error instanceof UsageError;
  const message = error instanceof Error ? error.message : String(error);
  console.error(`compare-weights: ${message}${usage ? '. --help shows how it is called.' : ''}`);
  process.exitCode = usage ? 2 : 1;
}
