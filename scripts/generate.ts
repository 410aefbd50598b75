/** `npm run generate`: clips of the page's engine, made in Node, for the evaluation (see HELP in generateOptions.ts). */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { SingleBar } from 'cli-progress';
import type { GenerationOptions } from '../src/config/generation';
import { downsampleOf, lengthsOf } from '../src/config/model';
import { gpuFailures, switchBackend } from '../src/kernels/testing/backends';
import { loadWeights } from '../src/loader';
import { createEngine, type Engine } from '../src/pipeline/engine';
import { generate, sceneOf } from '../src/pipeline/generate';
import { planWindows } from '../src/sampling/windows';
import type { ClipData } from '../src/worker/protocol';
import { type ClipExtent, ClipFile, type Recipe } from './clipFile';
import { UsageError } from './commandLine';
import { type CommandLine, HELP, parseCommandLine } from './generateOptions';
import { optionsFor } from './generationFlags';

async function main(): Promise<void> {
  const commandLine = parseCommandLine(process.argv.slice(2));
  if (commandLine === 'help') return console.log(HELP);
  const { model, out, count, backend, settings } = commandLine;
  const interrupt = new AbortController();
  const stop = () => interrupt.abort(new Error('Interrupted; finished clips stay, the same call goes on.'));
  process.once('SIGINT', stop).once('SIGTERM', stop);
  if (!(await switchBackend(backend))) throw new Error(`${backend} is not on this machine.`);
  const weights = await loadWeights(pathToFileURL(join(model, 'manifest.json')).href, { fetch: fromDisk });
  const engine = await createEngine(weights.manifest, weights);
  const options = optionsFor(engine.manifest.model, settings);
  const clips = await ClipFile.open(
    out,
    recipeOf(engine, commandLine, options),
    extentOf(engine, options),
    count,
  );
  try {
    await makeClips(engine, options, clips, count, interrupt.signal);
  } finally {
    await clips.close();
    engine.dispose();
  }
}

const fromDisk = async (url: string): Promise<Response> => new Response(await readFile(fileURLToPath(url)));

/** Everything that a clip depends on but the number of its seed; the weights by their hashes. */
function recipeOf(engine: Engine, { backend }: CommandLine, options: GenerationOptions): Recipe {
  const { manifest } = engine;
  const weights = [...new Set(manifest.tensors.map(({ dtype }) => dtype))].sort();
  const shards = manifest.shards.map(({ sha256 }) => sha256);
  const seams = seamsOf(engine, options);
  return {
    model: manifest.name,
    weights,
    shards,
    backend,
    frameRate: manifest.model.frameRate,
    options,
    ...(seams.length > 0 ? { seams } : {}),
  };
}

/** First frames of what was continued. */
function seamsOf({ manifest: { model } }: Engine, { frames }: GenerationOptions): number[] {
  const { framesPerLatent } = lengthsOf(model);
  const [, ...continued] = planWindows(frames / framesPerLatent, model.grid[0]);
  return continued.map(({ first, known }) => (first + known) * framesPerLatent);
}

function extentOf({ manifest: { model } }: Engine, { frames }: GenerationOptions): ClipExtent {
  const [, h, w] = downsampleOf(model.tokenizer);
  return [frames, model.grid[1] * h, model.grid[2] * w];
}

async function makeClips(
  engine: Engine,
  options: GenerationOptions,
  clips: ClipFile,
  count: number,
  signal: AbortSignal,
): Promise<void> {
  const before = clips.done;
  const bar = new SingleBar({
    format: '{bar} {value} of {total} clips | {each} s a clip | {eta_formatted}',
    noTTYOutput: true,
    notTTYSchedule: 30_000,
    hideCursor: true,
    barsize: 24,
  });
  const began = performance.now();
  bar.start(count, before, { each: '–' });
  try {
    while (clips.done < count) {
      const seed = (options.seed + clips.done) >>> 0;
      const own = { ...options, seed };
      await clips.write(await oneClip(engine, own, signal), sceneOf(engine, own));
      const each = (performance.now() - began) / 1000 / (clips.done - before);
      bar.update(clips.done, { each: each.toFixed(1) });
    }
  } finally {
    bar.stop();
  }
}

async function oneClip(engine: Engine, options: GenerationOptions, signal: AbortSignal): Promise<ClipData> {
  for await (const event of generate(engine, options, signal)) {
    const [failure] = gpuFailures;
    if (failure) throw new Error(`WebGPU failed: ${failure}`);
    if (event.type === 'clip') return event.clip;
  }
  throw new Error('The engine ended without a clip.');
}

try {
  await main();
  process.exit(0); // Dawn's threads would keep the process alive.
} catch (error) {
  const usage = error instanceof UsageError;
  const message = error instanceof Error ? error.message : String(error);
  console.error(`generate: ${message}${usage ? '. --help shows how it is called.' : ''}`);
  process.exit(usage ? 2 : 1);
}
