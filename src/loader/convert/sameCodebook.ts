/**
 * A VQGAN that is given beside a transformer which holds its own: the embedded one is used, and the other only for its
 * settings, so that both must be the same. Their codebooks tell: tokens mean something through them alone.
 */
import { CheckpointError, inFile } from '../checkpoint/source';
import type { Part } from './needs';

const CODEBOOK = 'codebook.embeddings';
/** Relative L2. One file may be in half precision (bfloat16: 2e-3); two trainings differ by about 1. */
const MOST_DIFFERENCE = 0.01;

/** @throws CheckpointError where the codebooks differ; nothing where one has none, which is told elsewhere */
export async function checkSameCodebook(embedded: Part, separate: Part): Promise<void> {
  const [one, other] = [codebookOf(embedded), codebookOf(separate)];
  if (!one || !other) return;
  const advice = `leave ${separate.opened.file} out, or give the VQGAN that the transformer was trained on`;
  const between = `the VQGAN inside ${embedded.opened.file}`;
  if (String(one.shape) !== String(other.shape)) {
    throw new CheckpointError(
      `its codebook has the shape [${other.shape}] and that of ${between} [${one.shape}]; ${advice}`,
      separate.opened.file,
    );
  }
  const a = await inFile(embedded.opened.file, () => one.readFloat32());
  const b = await inFile(separate.opened.file, () => other.readFloat32());
  let [off, size] = [0, 0];
  for (let i = 0; i < a.length; i++) {
    const value = a[i] ?? 0;
    off += (value - (b[i] ?? 0)) ** 2;
    size += value * value;
  }
  if (off <= MOST_DIFFERENCE ** 2 * size) return;
  throw new CheckpointError(
    `its codebook is another than that of ${between} (relative L2 ${Math.sqrt(off / size).toPrecision(2)}); ${advice}`,
    separate.opened.file,
  );
}

const codebookOf = ({ state }: Part) => state.tensors.get(state.prefix + CODEBOOK);
