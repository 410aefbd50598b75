/** Types of the part of gifenc that is used; the package has none. */
declare module 'gifenc' {
  export interface GifStream {
    /** `delay` in ms, rounded to hundredths of a second; `repeat` 0 loops for ever. */
    writeFrame(
      indices: Uint8Array,
      width: number,
      height: number,
      options: { palette: readonly (readonly number[])[]; delay: number; repeat: number },
    ): void;
    finish(): void;
    /** A copy of what was written. */
    bytes(): Uint8Array<ArrayBuffer>;
  }
  export function GIFEncoder(): GifStream;
  /** Reads the whole buffer under `rgba`. @returns up to `maxColors` of [r, g, b] */
  export function quantize(
    rgba: Uint8Array | Uint8ClampedArray,
    maxColors: number,
    options: { format: 'rgb565' | 'rgb444' },
  ): number[][];
}
