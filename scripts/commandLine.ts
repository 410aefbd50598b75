/** What the command lines of the project's programs share: how they are read, and how a wrong call is told from a failure. */
import { type ParseArgsConfig, parseArgs } from 'node:util';

/** Called wrongly; the message says what to give. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** As node's parseArgs. @throws UsageError for what it does not know */
export function readCommandLine<T extends ParseArgsConfig>(config: T): ReturnType<typeof parseArgs<T>> {
  try {
    return parseArgs(config);
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message.replace(/\.$/, '') : String(error));
  }
}

/** @throws UsageError where `value` is none of `known`, which it lists */
export function oneOf<T extends string | number>(option: string, known: readonly T[], value: unknown): T {
  const found = known.find((candidate) => candidate === value);
  if (found !== undefined) return found;
  throw new UsageError(
    `${option} must be one of ${known.join(', ')}${value === undefined ? '' : `, got ${value}`}`,
  );
}
