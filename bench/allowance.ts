/**
 * How much time there is, and what fits in it: a run is judged beforehand, by the pace that its contender had at a
 * smaller size of the same work. What does not fit is refused in words. Measures nothing itself.
 */
import type { CaseName, ContenderName } from './rows';

/** Work whose pace tells that of other sizes: a case without its number. */
export type Kind = 'forward' | 'narrow' | 'decode' | 'generate' | 'generations';

/** A part of a run, in floating-point operations. */
export interface Piece {
  readonly kind: Kind;
  readonly flops: number;
}

export interface Limits {
  /** Seconds that one contender may take for one case; a warm-up that takes longer is not followed by another run. */
  readonly budget: number;
  /** Seconds that a single run may be expected to take. */
  readonly patience: number;
  /** Seconds for all cases of a backend. */
  readonly seconds: number;
}

export interface Refusal {
  readonly reason: string;
  /** ms that a run was expected to take. */
  readonly estimate?: number;
}

export function kindOf(name: CaseName): Kind {
  if (name === 'first-step' || name.startsWith('official')) return 'forward';
  if (name === 'narrow-generate-64') return 'generate';
  return name.slice(0, name.indexOf('-')) as Kind;
}

export class Allowance {
  /** Operations per ms. */
  private readonly paces = new Map<string, number>();
  private readonly began: number;

  constructor(
    private readonly limits: Limits,
    private readonly now: () => number = () => performance.now(),
  ) {
    this.began = now();
  }

  /** What a contender was seen to do. */
  learn(kind: Kind, contender: ContenderName, flops: number, milliseconds: number): void {
    this.paces.set(`${kind} ${contender}`, flops / milliseconds);
  }

  /** ms of a run; undefined where a piece's pace is unknown. */
  estimate(contender: ContenderName, pieces: readonly Piece[]): number | undefined {
    if (pieces.length === 0) return undefined;
    let sum = 0;
    for (const { kind, flops } of pieces) {
      const pace = this.paces.get(`${kind} ${contender}`);
      if (pace === undefined) return undefined;
      sum += flops / pace;
    }
    return sum;
  }

  /** @param factor how much longer than usual this run may take */
  refusal(contender: ContenderName, pieces: readonly Piece[], factor: number): Refusal | undefined {
    const estimate = this.estimate(contender, pieces);
    const left = this.secondsLeft();
    if (left <= 0) {
      const known = estimate === undefined ? '' : `, est. ${inSeconds(estimate)} a run`;
      return {
        reason: `the ${inMinutes(this.limits.seconds)} for this backend were spent${known}`,
        ...(estimate === undefined ? {} : { estimate }),
      };
    }
    if (estimate === undefined) return undefined;
    const patience = this.limits.patience * factor;
    if (estimate > 1000 * patience) {
      const reason = `est. ${inSeconds(estimate)} a run, over the budget of ${inSeconds(1000 * patience)}`;
      return { reason, estimate };
    }
    if (estimate > 1000 * left) {
      const reason = `est. ${inSeconds(estimate)} a run, and ${inSeconds(1000 * left)} were left for this backend`;
      return { reason, estimate };
    }
    return undefined;
  }

  /** ms that one contender may take for a case that begins now. */
  budget(): number {
    return 1000 * Math.max(0, Math.min(this.limits.budget, this.secondsLeft()));
  }

  /** ms that a run may take that begins now. */
  longest(factor: number): number {
    return 1000 * Math.max(0, Math.min(this.limits.patience * factor, this.secondsLeft()));
  }

  private secondsLeft(): number {
    return this.limits.seconds - (this.now() - this.began) / 1000;
  }
}

/** Two digits that count. */
const inSeconds = (milliseconds: number): string => `${Number((milliseconds / 1000).toPrecision(2))} s`;
const inMinutes = (seconds: number): string => `${Number((seconds / 60).toPrecision(2))} min`;
