/** A queue between messages and the loop that consumes them. No state of a job, no protocol. */

/**
 * Events of one job, between messages that come when they like and a consumer that asks when it likes. A failure is
 * met after the events that came before it.
 */
export class EventQueue<T> {
  private readonly waiting: T[] = [];
  private failure: Error | null = null;
  private wake: (() => void) | null = null;

  readonly push = (event: T): void => {
    this.waiting.push(event);
    this.wake?.();
  };

  readonly fail = (error: Error): void => {
    this.failure = error;
    this.wake?.();
  };

  async next(): Promise<T> {
    for (;;) {
      const event = this.waiting.shift();
      if (event !== undefined) return event;
      if (this.failure) throw this.failure;
      await new Promise<void>((resolve) => {
        this.wake = resolve;
      });
      this.wake = null;
    }
  }
}
