/**
 * A transposed convolution as ordinary ones: the outputs o = u·s + φ of one phase φ see the same taps, so each phase is
 * a small stride-1 convolution of the padded input and no multiplication with inserted zeros is done. Index arithmetic
 * only, one axis at a time.
 *
 * PyTorch's rule with padding k - 1: o = i·s + j - (k - 1) for input i and tap j, hence i = (o + k - 1 - j)/s and
 * j ≡ o + k - 1 (mod s).
 */
import { transposedLength } from '../conv3d/padding';

export interface Phase {
  /** Kernel positions in the order in which the convolution meets them, that is, falling. */
  readonly taps: Int32Array;
  /** The padded input position that the first tap of the first output reads. */
  readonly start: number;
  /** Outputs of this phase. */
  readonly count: number;
}

/** The phases 0 … stride - 1 of an axis. Phases without a tap (a kernel shorter than its stride) are refused. */
export function phasesOf(padded: number, kernel: number, stride: number): Phase[] {
  const length = transposedLength(padded, kernel, stride);
  if (length <= 0 || kernel < stride) {
    throw new RangeError(
      `convTranspose3d: kernel ${kernel} with stride ${stride} on ${padded} padded positions has no output; ` +
        'use a kernel at least as long as the stride and more input.',
    );
  }
  return Array.from({ length: Math.min(stride, length) }, (_, phase) => {
    const lowest = (phase + kernel - 1) % stride;
    const count = Math.floor((kernel - 1 - lowest) / stride) + 1;
    const highest = lowest + (count - 1) * stride;
    return {
      taps: Int32Array.from({ length: count }, (_, i) => highest - i * stride),
      start: (phase + kernel - 1 - highest) / stride,
      count: Math.ceil((length - phase) / stride),
    };
  });
}
