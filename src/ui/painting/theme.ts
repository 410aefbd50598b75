/**
 * The colours that painting needs and CSS holds: read from the custom properties of the page, so that light and
 * dark are decided in one place (styles/tokens.css).
 */

export type Rgb = readonly [r: number, g: number, b: number];

export interface VeilTheme {
  /** Colour of the veil at the top of the picture. */
  readonly top: Rgb;
  /** And at its bottom: a hint of horizon. */
  readonly bottom: Rgb;
  /** The points that mark masked tokens. */
  readonly point: string;
}

/** @throws never: a property that is missing or malformed gives mid-grey. */
export function readVeilTheme(element: Element): VeilTheme {
  const style = getComputedStyle(element);
  return {
    top: parseHex(style.getPropertyValue('--veil-top')),
    bottom: parseHex(style.getPropertyValue('--veil-bottom')),
    point: style.getPropertyValue('--veil-point').trim() || '#888888',
  };
}

/** `#rrggbb` only: that is how the custom properties are written. */
export function parseHex(text: string): Rgb {
  const match = /^\s*#([0-9a-f]{6})\s*$/i.exec(text);
  if (!match) return [128, 128, 128];
  const value = Number.parseInt(match[1] ?? '', 16);
  return [value >> 16, (value >> 8) & 255, value & 255];
}
