/**
 * The canvas `Generated video`: plays the finished clip in a loop and moves the playhead.
 */
import { type RefObject, useEffect, useRef } from 'react';
import { usePage, usePageState, usePlayhead } from './context';
import { useAnimation } from './hooks';
import { ClipPainter, SMOOTH_SIDE } from './painting/player';

/** Pictures a second: neighbouring frames are cross-faded, so this is smooth at any frame rate of a clip. */
const RATE = 30;

export function GeneratedVideo({ canvas }: { canvas: RefObject<HTMLCanvasElement | null> }) {
  const { held } = usePage();
  const playhead = usePlayhead();
  const clip = usePageState((state) => state.clip);
  const shown = usePageState((state) => state.view === 'clip');
  const playing = usePageState((state) => state.playback === 'playing');
  const painter = useRef<ClipPainter | null>(null);
  const lastTick = useRef(0);
  const id = clip?.id;

  useEffect(() => {
    if (id === undefined || !held.clip) return;
    const fresh = new ClipPainter(held.clip);
    painter.current = fresh;
    playhead.moveTo(0);
    let timer = setTimeout(function prepare() {
      if (fresh.prepareOne()) timer = setTimeout(prepare, 12);
    });
    return () => clearTimeout(timer);
  }, [id, held, playhead]);

  // biome-ignore lint/correctness/useExhaustiveDependencies: a new clip has to be painted.
  useEffect(() => {
    const paint = (at: number) => canvas.current && painter.current?.paint(canvas.current, at);
    paint(playhead.at());
    return playhead.listen(paint);
  }, [playhead, canvas, id]);

  // A paused clip stands on a whole frame.
  useEffect(() => {
    lastTick.current = 0;
    if (!playing) playhead.moveTo(Math.floor(playhead.at()));
  }, [playing, playhead]);

  useAnimation(shown && playing && clip !== null, RATE, (now) => {
    if (!clip) return;
    const elapsed = lastTick.current > 0 ? Math.min(250, now - lastTick.current) : 0;
    lastTick.current = now;
    playhead.moveTo((playhead.at() + (elapsed / 1000) * clip.frameRate) % clip.frames);
  });

  return (
    <canvas
      ref={canvas}
      className="picture video"
      role="img"
      aria-label="Generated video"
      width={SMOOTH_SIDE}
      height={SMOOTH_SIDE}
    />
  );
}
