/**
 * The one error of loading. Its message is a sentence for a visitor; its code tells programs the kind.
 * The codes are a part of the worker protocol's `ErrorCode`.
 */
export type LoadErrorCode =
  | 'network'
  | 'not-a-manifest'
  | 'manifest-version'
  | 'shard-corrupt'
  | 'not-kept'
  | 'no-storage'
  | 'storage-full'
  | 'busy';

export class LoadError extends Error {
  override readonly name = 'LoadError';
  constructor(
    readonly code: LoadErrorCode,
    message: string,
    /** Loading again may succeed. */
    readonly retry: boolean,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}
