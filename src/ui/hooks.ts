/**
 * Hooks that tie React to the browser: media queries, a clock of animation frames, a canvas's size in device
 * pixels, keys. Nothing here knows the store.
 */
import { type RefObject, useEffect, useEffectEvent, useState, useSyncExternalStore } from 'react';

export const REDUCED_MOTION = '(prefers-reduced-motion: reduce)';
export const DARK = '(prefers-color-scheme: dark)';

export function useMediaQuery(query: string): boolean {
  return useSyncExternalStore(
    (changed) => {
      const list = matchMedia(query);
      list.addEventListener('change', changed);
      return () => list.removeEventListener('change', changed);
    },
    () => matchMedia(query).matches,
  );
}

/** Calls `tick` about `perSecond` times a second while `active`; rests with the tab. */
export function useAnimation(active: boolean, perSecond: number, tick: (now: number) => void): void {
  const call = useEffectEvent(tick);
  useEffect(() => {
    if (!active) return;
    // A little early, so that a display of 60 Hz gives every second frame and not every third.
    const interval = 1000 / perSecond - 6;
    let last = 0;
    let request = requestAnimationFrame(function next(now) {
      if (now - last >= interval) {
        last = now;
        call(now);
      }
      request = requestAnimationFrame(next);
    });
    return () => cancelAnimationFrame(request);
  }, [active, perSecond]);
}

/** More would cost time and show nothing: the pictures are small. */
const MOST_PIXELS = 1024;

/** Keeps a square canvas as fine as the display; returns its side in device pixels (0 before it is known). */
export function useCanvasSide(canvas: RefObject<HTMLCanvasElement | null>): number {
  const [side, setSide] = useState(0);
  useEffect(() => {
    const element = canvas.current;
    if (!element) return;
    const observer = new ResizeObserver(() => {
      const wanted = Math.round(element.clientWidth * Math.min(2, devicePixelRatio));
      setSide(Math.max(1, Math.min(MOST_PIXELS, wanted)));
    });
    observer.observe(element);
    return () => observer.disconnect();
  }, [canvas]);
  return side;
}

/** Keys pressed while the focus is in no control; Escape counts everywhere. */
export function useKeys(handlers: Readonly<Record<string, () => void>>): void {
  const press = useEffectEvent((event: KeyboardEvent) => {
    if (event.defaultPrevented || event.ctrlKey || event.altKey || event.metaKey) return;
    const inControl =
      event.target instanceof Element && event.target.closest('input, select, textarea, button, summary, a') !== null;
    const handler = handlers[event.key];
    if (!handler || (inControl && event.key !== 'Escape')) return;
    event.preventDefault();
    handler();
  });
  useEffect(() => {
    addEventListener('keydown', press);
    return () => removeEventListener('keydown', press);
  }, []);
}
