/** The report of a conversion as text: configuration, every tensor used (worst first), skipped, and missing. */
import { bytesOf } from '../manifest';
import type { ConversionResult } from './convert';
import type { ConversionPlan } from './plan';
import type { Skipped } from './skipped';

const whole = (n: number): string => n.toLocaleString('en-US');
const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`;

/** @param result absent where nothing was read yet: then without errors */
export function reportText(plan: ConversionPlan, result?: ConversionResult): string {
  return [
    ...summary(plan, result),
    '',
    ...usedLines(plan, result),
    '',
    ...skippedLines(plan.skipped),
    '',
  ].join('\n');
}

function summary(plan: ConversionPlan, result: ConversionResult | undefined): string[] {
  const { transformer, tokenizer, grid } = plan.model;
  const tokens = grid[0] * grid[1] * grid[2];
  const lines = [
    `${plan.name}: ${whole(plan.parameters)} parameters, ${megabytes(result ? bytesOf(result.manifest) : plan.bytes)}${result ? ` in ${result.manifest.shards.length} shards` : ''}`,
    `transformer: ${transformer.modes.length} blocks, width ${transformer.width}, ${transformer.heads} heads, ${transformer.latentTokens} latent tokens, ${whole(transformer.vocabulary)} codes, ${whole(transformer.positions)} positions`,
    `tokenizer: ${tokenizer.decoder.length} stages (${tokenizer.norm} norm), ${tokenizer.encoder ? 'with' : 'without'} encoder; token grid ${grid.join('×')} = ${whole(tokens)} tokens`,
    ...plan.facts.map(({ what, value, from }) => `${what}: ${value} (${from})`),
  ];
  if (result?.previewError != null) {
    lines.push(
      `preview: fitted on flat fields, off by ${result.previewError.toFixed(3)} (root mean square; colours range over ±0.5)`,
    );
  } else if (result) {
    lines.push('preview: left to the page, as the tokenizer has group norms');
  }
  if (result) lines.push(`sha256: ${result.manifest.sha256}`);
  return lines;
}

function usedLines(plan: ConversionPlan, result: ConversionResult | undefined): string[] {
  const missing = plan.missing.map((name) => `  MISSING  ${name}`);
  if (!result) {
    const tensors = plan.tensors.map(
      ({ recipe, storage }) => `  ${storage.dtype.padEnd(8)} [${recipe.shape.join(', ')}]  ${recipe.name}`,
    );
    return [`tensors used: ${tensors.length}, missing: ${missing.length}`, ...missing, ...tensors];
  }
  const worst = [...result.used].sort((a, b) => b.error - a.error);
  const rows = worst.map(
    ({ name, dtype, shape, error }) =>
      `  ${error.toExponential(2)}  ${dtype.padEnd(8)} [${shape.join(', ')}]  ${name}`,
  );
  return [`tensors used: ${rows.length}, relative L2 error of quantization, worst first`, ...rows];
}

function skippedLines(skipped: readonly Skipped[]): string[] {
  const unknown = skipped.filter((tensor) => tensor.unknown);
  const groups = new Map<string, Skipped[]>();
  for (const tensor of skipped) {
    const key = `${tensor.file}: ${tensor.reason}`;
    groups.set(key, [...(groups.get(key) ?? []), tensor]);
  }
  const lines = [`skipped: ${skipped.reduce((sum, { tensors }) => sum + tensors, 0)} tensors`];
  for (const [reason, tensors] of groups) {
    const elements = tensors.reduce((sum, tensor) => sum + tensor.elements, 0);
    lines.push(`  ${reason} (${whole(elements)} elements)`, ...tensors.map(({ name }) => `    ${name}`));
  }
  if (unknown.length > 0) {
    lines.push(
      `  Of ${unknown.length} tensors nothing is known: the model may be of a kind that this does not support.`,
    );
  }
  return lines;
}
