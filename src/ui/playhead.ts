/**
 * Where in the clip the visitor is. It moves up to thirty times a second, so it lives outside React and the store.
 */
export interface Playhead {
  /** Frames from the start, 0 to frames; fractional while playing. */
  at(): number;
  moveTo(at: number): void;
  /** @returns how to stop listening */
  listen(listener: (at: number) => void): () => void;
}

export function createPlayhead(): Playhead {
  let position = 0;
  const listeners = new Set<(at: number) => void>();
  return {
    at: () => position,
    moveTo: (at) => {
      position = at;
      for (const listener of listeners) listener(at);
    },
    listen: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}
