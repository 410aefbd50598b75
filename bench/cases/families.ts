/** The paper's other families at equal width and depth: what MeBT's forward pass is measured against. */
import { denseOf } from '../../src/config/model';
import { familiesOf } from '../../src/model/families';
import { autoregressiveFlops, transformerFlops } from '../../src/model/flops';
import { readTransformer } from '../../src/model/transformer';
import { FEWEST_STEPS, measureFamily } from '../../src/pipeline/passes';
import type { Contender, Opened } from '../contest';
import { disposeAll, openTensors } from '../tensors';
import { type Pass, readLogits } from './pass';

const LARGEST = 8192;

/** Over the same weights: costs count here, not predictions. */
export function otherFamilies(pass: Pass): Contender[] {
  const { model, sets } = pass;
  const { transformer } = model.config;
  const tokens = sets.tokens.length;
  return [
    {
      name: 'dense',
      flops: transformerFlops(denseOf(transformer), sets.context.length, sets.target.length),
      // A target asks for its time at the largest size, where it takes the longest of all.
      patience: tokens === LARGEST ? 5 : 1,
      open: () => openDense(pass),
    },
    {
      name: 'autoregressive',
      flops: autoregressiveFlops(transformer, tokens),
      part: Math.min(1, FEWEST_STEPS / tokens),
      open: () => openAutoregressive(pass),
    },
  ];
}

function openDense({ model, sets }: Pass): Promise<Opened> {
  return openTensors(() => {
    const parameters = readTransformer(denseOf(model.config.transformer), model.reader());
    return {
      run: async () => {
        await readLogits(parameters, sets);
        return undefined; // Not to be compared: another network.
      },
      dispose: () => disposeAll(parameters),
    };
  });
}

/** All steps of a clip, one a token, from a few that are measured as the page's comparison does it. */
function openAutoregressive({ model, sets }: Pass): Promise<Opened> {
  const tokens = sets.tokens.length;
  return openTensors(() => {
    const transformer = readTransformer(model.config.transformer, model.reader());
    const families = familiesOf(transformer, tokens);
    let [milliseconds, bytes] = [Number.NaN, 0];
    return {
      watchedBytes: () => bytes,
      note: `all ${tokens} steps, extrapolated from a few`,
      run: async () => {
        ({ milliseconds, bytes } = (await measureFamily(families, 'autoregressive', tokens, 0)).point);
        return undefined;
      },
      extrapolated: () => milliseconds,
      dispose: () => {
        families.dispose();
        disposeAll(transformer);
      },
    };
  });
}
