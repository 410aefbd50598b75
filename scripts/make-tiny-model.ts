/**
 * Writes a tiny model with fixed random weights, a few kilobytes, that is told of scenes, for tests of the built page:
 * `npx tsx scripts/make-tiny-model.ts <folder>`.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { packTinyModel, TOLD_MODEL } from '../src/pipeline/testing/tinyModel';

const folder = process.argv[2];
if (!folder) {
  console.error(
    'make-tiny-model: name the folder to write to, as in: npx tsx scripts/make-tiny-model.ts out',
  );
  process.exit(2);
}
const { manifest, files } = packTinyModel(TOLD_MODEL);
mkdirSync(folder, { recursive: true });
writeFileSync(join(folder, 'manifest.json'), manifest);
for (const [name, bytes] of files) writeFileSync(join(folder, name), bytes);
const bytes = [...files.values()].reduce((sum, file) => sum + file.length, 0);
console.log(`${folder}: manifest.json and ${files.size} shards, ${bytes} bytes`);
