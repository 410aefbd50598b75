/**
 * Hooks that tie React to the browser: media queries, a clock of animation frames, keys. Nothing here knows the store.
 */
import { useEffect, useEffectEvent, useSyncExternalStore } from 'react';

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

/** Where the browser gives frames more slowly than this (ms), showing them costs much of the processor. */
const SLOW_FRAME_MS = 45;
/** Share of the time that animation then leaves to the model: three quarters. */
const SLOW_REST = 4;

/**
 * Calls `tick` about `perSecond` times a second while `active`; rests with the tab, and slows down where the
 * browser is slow to show what was painted.
 */
export function useAnimation(active: boolean, perSecond: number, tick: (now: number) => void): void {
  const call = useEffectEvent(tick);
  useEffect(() => {
    if (!active) return;
    // A little early, so that a display of 60 Hz gives every second frame and not every third.
    const interval = 1000 / perSecond - 6;
    let last = 0;
    let before = 0;
    let frame = 16;
    let timer: ReturnType<typeof setTimeout> | undefined;
    let request = requestAnimationFrame(function next(now) {
      if (before > 0) frame += (Math.min(500, now - before) - frame) * 0.2;
      const slow = frame > SLOW_FRAME_MS;
      before = slow ? 0 : now;
      if (now - last >= interval) {
        last = now;
        call(now);
      }
      if (!slow) {
        request = requestAnimationFrame(next);
        return;
      }
      timer = setTimeout(() => {
        request = requestAnimationFrame((first) => {
          before = first;
          request = requestAnimationFrame(next);
        });
      }, frame * SLOW_REST);
    });
    return () => {
      cancelAnimationFrame(request);
      clearTimeout(timer);
    };
  }, [active, perSecond]);
}

/**
 * Keys pressed while the focus is in no control; Escape counts everywhere.
 * @param press says whether it took the key
 */
export function useKeys(press: (key: string) => boolean): void {
  const handle = useEffectEvent((event: KeyboardEvent) => {
    // In a dialog keys are the dialog's, also when what had the focus there is gone.
    if (document.querySelector(':modal')) return;
    if (event.defaultPrevented || event.ctrlKey || event.altKey || event.metaKey) return;
    const inControl =
      event.target instanceof Element &&
      event.target.closest('input, select, textarea, button, summary, a') !== null;
    if (inControl && event.key !== 'Escape') return;
    if (press(event.key)) event.preventDefault();
  });
  useEffect(() => {
    addEventListener('keydown', handle);
    return () => removeEventListener('keydown', handle);
  }, []);
}
