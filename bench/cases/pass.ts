/** One forward pass: over which network and tokens, and how its logits are made and read. What it is timed against: forward.ts. */

import { transformerFlops } from '../../src/model/flops';
import {
  runHeadInChunks,
  runTrunk,
  type TokenSets,
  type TransformerParameters,
} from '../../src/model/transformer';
import type { Bench } from '../contest';
import { storedRandomModel } from '../randomModel';
import type { CaseName } from '../rows';
import { NARROW, PROBE, partOf, QUICK, WHOLE } from '../sizes';
import type { BenchModel } from '../weights';

export interface Pass {
  readonly model: BenchModel;
  readonly sets: TokenSets;
  readonly flops: number;
  /** What is computed, in words. */
  readonly work: string;
}

export function passOf(model: BenchModel, tokens: number): Pass {
  const { transformer } = model.config;
  const sets = halfKnown(tokens, transformer.vocabulary);
  const flops = transformerFlops(transformer, sets.context.length, sets.target.length);
  return { model, sets, flops, work: `${sets.context.length} + ${sets.target.length} tokens, ${model.name}` };
}

/** `--quick` keeps so much of the tokens. */
const QUICK_SHARE = 1 / 64;

/** The pass of a case; the stored model, longer position tables where it has too few, or the narrow one. */
export function passOfCase({ quick, stored }: Pick<Bench, 'quick' | 'stored'>, name: CaseName): Pass {
  const nominal = Number(name.slice(name.lastIndexOf('-') + 1));
  const tokens = Math.max(16, Math.round(nominal * (quick ? QUICK_SHARE : 1)));
  if (name.startsWith('narrow-')) return passOf(narrowModel(), tokens);
  const part = quick ? QUICK : name === 'forward-128' ? PROBE : WHOLE;
  return passOf(partOf(stored, part, tokens), tokens);
}

let narrow: BenchModel | undefined;

/** Made once: the network of NARROW, with random weights. */
export function narrowModel(): BenchModel {
  const { width, modes, latentTokens } = NARROW.transformer;
  narrow ??= storedRandomModel(
    `width ${width}, ${modes.length} blocks, ${latentTokens} latent tokens`,
    NARROW,
  );
  return narrow;
}

/** Half of the tokens known, half predicted, in an order that mixes the grid. */
export function halfKnown(tokens: number, vocabulary: number): TokenSets {
  const order = Int32Array.from({ length: tokens }, (_, i) => i).sort(
    (a, b) => ((a * 997) % 8191) - ((b * 997) % 8191),
  );
  return {
    tokens: Int32Array.from({ length: tokens }, (_, i) => (i * 7) % vocabulary),
    context: order.slice(0, tokens / 2),
    target: order.slice(tokens / 2),
  };
}

/** Logits [NT, V], made and read in chunks of rows as a step of the product does it; contenders give them whole. */
export async function readLogits(parameters: TransformerParameters, sets: TokenSets): Promise<Float32Array> {
  const { vocabulary } = parameters.config;
  const all = new Float32Array(sets.target.length * vocabulary);
  const hidden = runTrunk(parameters, sets);
  try {
    for (const { first, logits } of runHeadInChunks(parameters, hidden)) {
      all.set(await logits.data<'float32'>(), first * vocabulary);
    }
  } finally {
    hidden.dispose();
  }
  return all;
}
