/**
 * The canvas `Live preview`: paints every step of a generation, and breathes in between. The painting itself is
 * painting/preview.ts; this ties it to the store, the theme and the clock.
 */
import { type RefObject, useEffect, useRef } from 'react';
import type { PageState } from '../store/state';
import { usePage, usePageState } from './context';
import { DARK, REDUCED_MOTION, useAnimation, useMediaQuery } from './hooks';
import { PreviewPainter } from './painting/preview';
import { readVeilTheme } from './painting/theme';

/** Pictures a second: enough for a slow fade, cheap beside a model that runs on the same cores. */
const RATE = 20;
/** Pixels along the canvas; CSS stretches it. Everything in it is soft, and without a GPU every pixel costs. */
const SIDE = 320;

export function LivePreview({ canvas }: { canvas: RefObject<HTMLCanvasElement | null> }) {
  const { store, held } = usePage();
  const calm = useMediaQuery(REDUCED_MOTION);
  const dark = useMediaQuery(DARK);
  const shown = usePageState((state) => state.view === 'preview');
  const painter = useRef<PreviewPainter | null>(null);

  // biome-ignore lint/correctness/useExhaustiveDependencies: `dark` changes the CSS that the theme is read from.
  useEffect(() => {
    if (!canvas.current) return;
    const theme = readVeilTheme(canvas.current);
    if (painter.current) painter.current.setTheme(theme, calm);
    else {
      painter.current = new PreviewPainter(canvas.current, theme, calm);
      painter.current.reset(gridOf(store.getState()), held.table);
      if (held.step) painter.current.take(held.step);
    }
    painter.current.paint(performance.now());
  }, [canvas, store, held, calm, dark]);

  // Straight from the store: React may merge two steps into one render, and every step is to be painted.
  useEffect(
    () =>
      store.subscribe((state, before) => {
        const preview = painter.current;
        if (!preview) return;
        const started = state.generation === 'stepping' && before.generation !== 'stepping';
        if (started || state.model !== before.model) preview.reset(gridOf(state), held.table);
        else if (state.stepId !== before.stepId && held.step) preview.take(held.step);
        else return;
        preview.paint(performance.now());
      }),
    [store, held],
  );

  useAnimation(shown && !calm, RATE, (now) => painter.current?.paint(now));

  return (
    <canvas
      ref={canvas}
      className="picture preview"
      role="img"
      aria-label="Live preview"
      width={SIDE}
      height={SIDE}
    />
  );
}

/** T'×H'×W' of the clip that is being made or would be made next. */
function gridOf({ model, settings, facts }: PageState): readonly [number, number, number] {
  const [, rows, columns] = model?.grid ?? [1, 16, 16];
  return [Math.max(1, Math.round(settings.frames / facts.framesPerLatent)), rows, columns];
}
