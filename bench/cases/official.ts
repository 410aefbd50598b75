/** How long does a pass of the paper's own size take? Made for GPUs; its weights are random, int8 as an export has them. */
import { runForward } from '../../src/model/families';
import { transformerFlops } from '../../src/model/flops';
import { readTransformer } from '../../src/model/transformer';
import { type Bench, contest, type Opened } from '../contest';
import { storedRandomModel } from '../randomModel';
import type { Row } from '../rows';
import { OFFICIAL, QUICK_OFFICIAL } from '../sizes';
import { disposeAll, openTensors } from '../tensors';
import { halfKnown } from './pass';

const TOKENS = 8192;

export async function officialCase(bench: Bench): Promise<Row[]> {
  const config = bench.quick ? QUICK_OFFICIAL : OFFICIAL;
  const { transformer } = config;
  const half = transformer.positions / 2;
  const flops = transformerFlops(transformer, half, half);
  const name = `width ${transformer.width}, ${transformer.modes.length} blocks, int8, logits left on the device`;
  /** Logits stay on the device, chunk by chunk: as a step of the product, which reads back codes only. */
  const open = (): Promise<Opened> =>
    openTensors(() => {
      const model = storedRandomModel(name, config);
      const parameters = readTransformer(transformer, model.reader());
      const sets = halfKnown(transformer.positions, transformer.vocabulary);
      return {
        run: async () => {
          await runForward(parameters, sets);
          return undefined;
        },
        dispose: () => disposeAll(parameters),
      };
    });
  const one = { name: `official-${TOKENS}`, work: `${half} + ${half} tokens, ${name}` } as const;
  return contest(bench, one, [{ name: 'ours', flops, patience: 2, open }]);
}
