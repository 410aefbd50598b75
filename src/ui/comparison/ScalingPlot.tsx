/**
 * One quantity against the number of tokens, both on logarithmic axes, a line a family; drawn by uPlot on a canvas. The
 * table beside it has the same numbers for those who cannot see it.
 */
import { useEffect, useRef } from 'react';
import uPlot from 'uplot';
import { type ComparisonPoint, DEFAULT_COMPARISON, FAMILIES } from '../../config/comparison';
import { DARK, useMediaQuery } from '../hooks';
import { DASHES } from './style';
import { countOf, NAMES } from './words';

const HEIGHT = 210;
const FONT = '12px system-ui, sans-serif';
const SIZES = DEFAULT_COMPARISON.sizes;
/** Room beyond the first and the last size, as a factor. */
const MARGIN = 1.25;

interface ScalingPlotProps {
  readonly title: string;
  readonly points: readonly ComparisonPoint[];
  readonly value: (point: ComparisonPoint) => number;
  readonly show: (value: number) => string;
}

export function ScalingPlot({ title, points, value, show }: ScalingPlotProps) {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const dark = useMediaQuery(DARK);

  // biome-ignore lint/correctness/useExhaustiveDependencies: `dark` changes the CSS that colours are read from; data follow below.
  useEffect(() => {
    const element = box.current;
    if (!element) return;
    const made = new uPlot(optionsFor(element, show), dataOf(points, value), element);
    plot.current = made;
    const resized = new ResizeObserver(() => made.setSize({ width: element.clientWidth, height: HEIGHT }));
    resized.observe(element);
    return () => {
      resized.disconnect();
      made.destroy();
    };
  }, [dark, show]);

  useEffect(() => plot.current?.setData(dataOf(points, value)), [points, value]);

  return (
    <figure>
      <figcaption>{title}</figcaption>
      <div ref={box} className="plot" role="img" aria-label={`${title}; the table has the numbers`} />
    </figure>
  );
}

/** Tokens, then a row a family, null where nothing was measured. */
function dataOf(
  points: readonly ComparisonPoint[],
  value: (point: ComparisonPoint) => number,
): uPlot.AlignedData {
  const row = (family: ComparisonPoint['family']): (number | null)[] =>
    SIZES.map((tokens) => {
      const found = points.find((point) => point.family === family && point.tokens === tokens);
      return found ? value(found) : null;
    });
  return [[...SIZES], ...FAMILIES.map(row)];
}

function optionsFor(element: HTMLElement, show: (value: number) => string): uPlot.Options {
  const style = getComputedStyle(element);
  const colour = (name: string): string => style.getPropertyValue(name).trim();
  const axis: uPlot.Axis = {
    stroke: colour('--ink-soft'),
    font: FONT,
    grid: { stroke: colour('--line'), width: 1 },
    ticks: { show: false },
    // Every tick is labelled; where it is narrow uPlot would hand over null for some.
    filter: (_, ticks) => ticks,
  };
  const [first = 1, last = 1] = [SIZES[0], SIZES.at(-1)];
  return {
    width: element.clientWidth,
    height: HEIGHT,
    legend: { show: false },
    cursor: { show: false },
    scales: {
      x: { time: false, distr: 3, log: 2, range: () => [first / MARGIN, last * MARGIN] },
      y: { distr: 3, log: 10, range: (_, low, high) => decades(low, high) },
    },
    axes: [
      { ...axis, size: 26, splits: () => [...SIZES], values: (_, ticks) => ticks.map(countOf) },
      {
        ...axis,
        size: 64,
        splits: (_, __, low, high) => powersOfTen(low, high),
        values: (_, ticks) => ticks.map(show),
      },
    ],
    series: [
      {},
      ...FAMILIES.map((family) => {
        const stroke = colour(`--family-${family}`);
        return {
          label: NAMES[family],
          stroke,
          width: 2,
          dash: [...DASHES[family]],
          spanGaps: true,
          points: { show: true, size: 8, stroke, fill: stroke },
        };
      }),
    ],
  };
}

/** The powers of ten around the values; two of them where there is no value yet. */
function decades(low: number | null, high: number | null): [number, number] {
  if (low === null || high === null || !(low > 0)) return [1, 1000];
  return [
    10 ** Math.floor(Math.log10(low)),
    10 ** Math.max(Math.ceil(Math.log10(high)), Math.floor(Math.log10(low)) + 1),
  ];
}

function powersOfTen(low: number, high: number): number[] {
  const [from, to] = [Math.round(Math.log10(low)), Math.round(Math.log10(high))];
  return Array.from({ length: to - from + 1 }, (_, i) => 10 ** (from + i));
}
