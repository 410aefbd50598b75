/** The paper's other families at equal width and depth: what MeBT's forward pass is measured against. */
import { denseOf } from '../../src/config/model';
import { familiesOf } from '../../src/model/families';
import { readTransformer, runTransformer, type TokenSets } from '../../src/model/transformer';
import { measureFamily } from '../../src/pipeline/passes';
import type { Contender, Opened } from '../contest';
import { autoregressiveFlops, transformerFlops } from '../flops';
import { disposeAll, openTensors, valuesOf } from '../tensors';
import type { BenchModel } from '../weights';

/** Over the same weights: costs count here, not predictions. */
export function otherFamilies(model: BenchModel, sets: TokenSets): Contender[] {
  return [
    { name: 'dense', open: () => openDense(model, sets) },
    { name: 'autoregressive', open: () => openAutoregressive(model, sets.tokens.length) },
  ];
}

function openDense({ config, reader }: BenchModel, sets: TokenSets): Promise<Opened> {
  const dense = denseOf(config.transformer);
  return openTensors(() => {
    const parameters = readTransformer(dense, reader());
    return {
      flops: transformerFlops(dense, sets.context.length, sets.target.length),
      run: async () => {
        await valuesOf(runTransformer(parameters, sets));
        return undefined; // Not to be compared: another network.
      },
      dispose: () => disposeAll(parameters),
    };
  });
}

/** All steps of a clip, one a token, from a few that are measured as the page's comparison does it. */
function openAutoregressive({ config, reader }: BenchModel, tokens: number): Promise<Opened> {
  return openTensors(() => {
    const transformer = readTransformer(config.transformer, reader());
    const families = familiesOf(transformer, tokens);
    let [milliseconds, bytes] = [Number.NaN, 0];
    return {
      flops: autoregressiveFlops(config.transformer, tokens),
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
