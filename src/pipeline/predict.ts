/**
 * What the samplers call to have codes predicted and drawn: the transformer's trunk once, its head in chunks of rows,
 * so that logits never take more than `LOGIT_BYTES`. It knows nothing of steps and phases.
 */
import { runHeadInChunks, runTrunk, type TransformerParameters } from '../model/transformer';
import { type GridState, type LogitChunk, type Predict, predictFromLogits } from '../sampling/steps';

/** Predicts with `transformer` on the backend that holds it. Leaves no tensor behind. */
export function predictorOf(transformer: TransformerParameters): Predict {
  return predictFromLogits((state) => logitChunks(transformer, state));
}

/** Logits of the targets, chunk by chunk: 16 MiB on the backend and their copy here. */
export async function* logitChunks(
  transformer: TransformerParameters,
  state: GridState,
): AsyncGenerator<LogitChunk, void, undefined> {
  const hidden = runTrunk(transformer, state); // [B, NT, C]
  try {
    for (const { first, logits } of runHeadInChunks(transformer, hidden)) {
      yield { first, count: logits.shape[0], logits: await logits.data<'float32'>() };
    }
  } finally {
    hidden.dispose();
  }
}
