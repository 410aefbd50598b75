/** The one error of encoding; its message is a sentence for a visitor. */
export class EncodeError extends Error {
  override readonly name = 'EncodeError';
  readonly code = 'encoding-failed';
  constructor(
    message: string,
    /** Encoding the same clip again may succeed. */
    readonly retry: boolean,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}
