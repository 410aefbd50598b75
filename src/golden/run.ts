/**
 * `npm run test:golden [-- --verbose] [-- --backend=cpu,wasm]`: every fixture of a folder (GOLDEN_DIR, else the
 * neighbouring one, else the committed ones) against this engine on every backend. Ends with
 * "N passed, M failed, K skipped"; exit code 1 when anything failed.
 */
import { existsSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { switchBackend as activate, gpuFailures, TEST_BACKENDS } from '../kernels/testing/backends';
import { checkConversions, checkQuantizedLogits } from './conversions';
import { checkCheckpoints, checkSums, checkZoos } from './files';
import { GoldenFolder } from './folder';
import { LoadedCheckpoint } from './model';
import { checkTokenizers, checkTold, checkTransformer, type OpenCheckpoint } from './networks';
import { checkPreprocessing } from './preprocessing';
import { Report } from './report';
import { checkRuns } from './runs';
import { checkGibbsMasks, checkNextMasks, checkProbabilities, checkSchedules } from './samplers';

const HERE = dirname(fileURLToPath(import.meta.url));
const ROOT = resolve(HERE, '../..');

/**
 * The one that GOLDEN_DIR names, relative to the root of the repository, else this project's own and, where it is there, the
 * official code's. Naming a folder that is not there is an error.
 */
function findFolders(): string[] {
  const named = process.env.GOLDEN_DIR;
  const candidates = named
    ? [resolve(ROOT, named)]
    : [join(HERE, 'fixtures'), resolve(ROOT, '../shared/golden')];
  const found = candidates.filter((path) => existsSync(join(path, 'manifest.json')));
  if (named && found.length === 0) {
    throw new Error(`GOLDEN_DIR is ${named}, but there is no manifest.json in it.`);
  }
  return found;
}

async function main(): Promise<number> {
  const report = new Report((line) => console.log(line), process.argv.includes('--verbose'));
  try {
    const paths = findFolders();
    if (paths.length === 0) {
      report.skip('all fixtures', 'there is no folder of fixtures; name one with GOLDEN_DIR');
    }
    for (const path of paths) {
      console.log(`Fixtures: ${path}`);
      await checkFolder(new GoldenFolder(path), report);
    }
  } catch (error) {
    await report.check('fixtures', () => Promise.reject(error));
  }
  console.log(report.summary());
  return report.failed > 0 ? 1 : 0;
}

async function checkFolder(folder: GoldenFolder, report: Report): Promise<void> {
  await checkSums(folder, report);
  await checkCheckpoints(folder, report);
  await checkZoos(folder, report);
  await checkConversions(folder, report);
  await checkSchedules(folder, report);
  await checkGibbsMasks(folder, report);
  await checkProbabilities(folder, report);
  await checkNextMasks(folder, report);
  await checkPreprocessing(folder, report);
  const open = checkpointCache(folder);
  for (const backend of TEST_BACKENDS) {
    report.prefix = `[${backend}] `;
    if (!wanted(backend)) {
      report.skip('all models', 'left out by --backend');
      continue;
    }
    if (!(await activate(backend))) {
      report.skip('all models', 'this machine does not have the backend');
      continue;
    }
    const began = performance.now();
    await checkTransformer(folder, report, open);
    await checkTold(folder, report, open);
    await checkQuantizedLogits(folder, report);
    await checkTokenizers(folder, report, open);
    await checkRuns(folder, report, open);
    if (backend === 'webgpu') {
      await report.check('no device errors', () => {
        if (gpuFailures.length > 0) throw new Error(gpuFailures.join('; '));
      });
    }
    console.log(`${report.prefix}done after ${((performance.now() - began) / 1000).toFixed(1)} s`);
  }
  report.prefix = '';
  for (const name of folder.unread()) report.skip(name, 'no check reads this tensor');
}

/** `--backend=cpu,wasm` leaves the others out. */
function wanted(backend: string): boolean {
  const option = process.argv.find((argument) => argument.startsWith('--backend='));
  return !option || option.slice('--backend='.length).split(',').includes(backend);
}

/** Weights are read once and given to each backend anew. */
function checkpointCache(folder: GoldenFolder): OpenCheckpoint {
  const opened = new Map<string, Promise<LoadedCheckpoint>>();
  return (file) => {
    const checkpoint = opened.get(file) ?? LoadedCheckpoint.open(folder, file);
    opened.set(file, checkpoint);
    return checkpoint;
  };
}

process.exit(await main());
