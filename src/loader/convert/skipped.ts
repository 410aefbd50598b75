/** What a checkpoint holds beside the model, and why it is left behind. Nothing of it is read. */
import type { OpenedCheckpoint } from '../checkpoint/open';

export interface Skipped {
  readonly file: string;
  /** A tensor's full name, or a key of the saved dict with everything under it. */
  readonly name: string;
  readonly tensors: number;
  readonly elements: number;
  readonly reason: string;
  /** Nothing is known of it: the model may be of a kind that this does not support. */
  readonly unknown: boolean;
}

const REASONS: readonly (readonly [RegExp, string])[] = [
  [/^(first_stage_model\.)?(image|video)_discriminator\./, 'discriminator: only training needs it'],
  [/^(first_stage_model\.)?perceptual_model\./, 'LPIPS: only training needs it'],
  [/codebook\.(N|z_avg)$/, "running statistics of the codebook's training"],
  [/\.num_batches_tracked$/, "counter of the batch norm's training"],
  [/^(first_stage_model\.)?(encoder|pre_vq_conv)\./, 'encoder: left out as asked'],
  [/^first_stage_model\./, 'of the embedded tokenizer, not a part of it that is known'],
];

/** @param used full names of the tensors that are read, by file */
export function skippedOf(
  opened: readonly OpenedCheckpoint[],
  used: ReadonlyMap<string, ReadonlySet<string>>,
): Skipped[] {
  return opened.flatMap(({ file, state, others }) => {
    const unused = !used.has(file);
    const tensors = [...state.tensors].filter(([name]) => !used.get(file)?.has(name));
    const inState = tensors.map(([name, tensor]): Skipped => {
      const known = REASONS.find(([pattern]) => pattern.test(name))?.[1];
      const reason = unused && !known ? "the transformer's file brings its own tokenizer" : known;
      return {
        file,
        name,
        tensors: 1,
        elements: tensor.size,
        reason: reason ?? 'no part of the model is known under this name',
        unknown: reason === undefined,
      };
    });
    const beside = others.map(
      ({ key, tensors: count, elements }): Skipped => ({
        file,
        name: key,
        tensors: count,
        elements,
        reason: 'state of the training',
        unknown: false,
      }),
    );
    return [...inState, ...beside];
  });
}
