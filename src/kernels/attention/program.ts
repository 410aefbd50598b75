/**
 * Attention in WGSL without a score matrix (online softmax; Dao et al., FlashAttention-2). Heads stay where they are,
 * interleaved in the channels: q [B, NQ, C], k and v [B, NK, C], all read four channels at a time.
 *
 * A workgroup of 64 threads, 8 × 8, makes `8 · rows` queries of one head over one range of keys, `8 · columns` keys at
 * a time: the keys' tile comes to workgroup memory, thread (y, x) scores its `rows` queries against keys x, x + 8, …,
 * rows share their maxima, the values' tile takes the keys' place, and the thread sums its queries' values in channels
 * x, x + 8, … (in fours). Four barriers a tile. Rows are padded by one vec4, so that neighbours read different banks.
 *
 * In float16 (float16.ts) the queries lie in workgroup memory, too, rounded once; keys, weights and values take half the
 * space. Scores are summed over d/4 products, values over a tile of keys, before they go on in float32, as do the online
 * maxima and sums. Weights are at most 1; the sum of weights is that of the rounded ones, so that they still average.
 *
 * Where queries are few, the keys are split over several workgroups; each then leaves its sums not yet divided, with the
 * largest score and the sum of weights behind them, for mergeProgram.ts.
 */
import type { WebGPUProgram } from '@tensorflow/tfjs-backend-webgpu';
import { type Factors, float16Mark } from '../float16';

export interface AttentionVariant {
  /** Channels of a head, in fours. */
  readonly fours: number;
  /** Queries of a thread. */
  readonly rows: 1 | 4;
  /** Keys of a thread in a tile. */
  readonly columns: 2 | 4;
  /** What queries, keys, weights and values are multiplied in. */
  readonly factors: Factors;
  /** Leaves partial sums. */
  readonly split: boolean;
}

/** Threads of a workgroup, and along each of its sides. */
const WORKGROUP = 64;
const SIDE = 8;

export const queriesAtOnce = ({ rows }: Pick<AttentionVariant, 'rows'>): number => SIDE * rows;
export const keysAtOnce = ({ columns }: Pick<AttentionVariant, 'columns'>): number => SIDE * columns;

/** Bytes of workgroup memory that a variant takes. */
export function workgroupBytes(variant: Omit<AttentionVariant, 'split'>): number {
  const bytes = variant.factors === 'f16' ? 2 : 4;
  const queries = variant.factors === 'f16' ? queriesAtOnce(variant) : 0;
  const tile = (keysAtOnce(variant) + queries) * (variant.fours + 1) * 4 * bytes;
  const weights = queriesAtOnce(variant) * SIDE * variant.columns * bytes;
  const highest = queriesAtOnce(variant) * SIDE * 4;
  return tile + weights + highest + 8;
}

export class AttentionProgram implements WebGPUProgram {
  readonly variableNames = ['q', 'k', 'v'];
  readonly variableComponents = [4, 4, 4];
  readonly outputComponent = 4;
  /**
   * keys: NK; blocks: groups of queries; span: keys of a split. Query i sees the first
   * min(keyCount, seen + i · seenMore) keys. scale: log2(e)/√d, as powers of two are what hardware has.
   * weight: log2 of how often each key counts, for the merge; without a split it would change nothing.
   */
  readonly uniforms =
    'samples : i32, queries : i32, keys : i32, heads : i32, blocks : i32, splits : i32, span : i32, keyCount : i32, seen : i32, seenMore : i32, scale : f32, weight : f32,';
  readonly workgroupSize: [number, number, number] = [WORKGROUP, 1, 1];
  readonly dispatchLayout = { x: [0] };
  readonly dispatch: [number, number, number];
  readonly outputShape: number[];
  readonly shaderKey: string;
  private readonly variant: AttentionVariant;

  constructor(variant: AttentionVariant, outputShape: number[], groups: number) {
    this.variant = variant;
    this.outputShape = outputShape;
    this.dispatch = [groups, 1, 1];
    const { fours, rows, columns, factors, split } = variant;
    this.shaderKey = `mebtAttention_${fours}_${rows}_${columns}_${factors}_${split}`;
  }

  getUserCode(): string {
    const { fours, columns, factors } = this.variant;
    const queries = queriesAtOnce(this.variant);
    const keys = keysAtOnce(this.variant);
    const stride = fours + 1;
    return `
    const NOTHING = -1e30;                             // the score of a key that is not seen
    ${float16Mark(factors)}
    var<workgroup> tile : array<vec4<${factors}>, ${keys * stride}>;   // keys, then values: [key, d/4 and one]
    ${this.half ? `var<workgroup> own : array<vec4<f16>, ${queries * stride}>;    // queries times scale: [query, d/4 and one]` : ''}
    var<workgroup> weights : array<vec${columns}<${factors}>, ${queries * SIDE}>; // [query, x]: e^score of keys x, x + 8, …
    var<workgroup> shared8 : array<f32, ${queries * SIDE}>;     // [query, x]: a number of each thread of a row
    var<workgroup> range : vec2<i32>;                  // first key, and the end of the keys

    fn main(index : i32) {
      let lane = index % ${WORKGROUP};
      let x = lane % ${SIDE};
      let y = lane / ${SIDE};
      let channels = uniforms.heads * ${fours};        // C/4
      // Neighbouring workgroups read the same keys. A reshaped dispatch may have workgroups to spare: split = splits.
      var rest = index / ${WORKGROUP};
      let first = rest % uniforms.blocks * ${queries}; rest = rest / uniforms.blocks;
      let head = rest % uniforms.heads; rest = rest / uniforms.heads;
      let sample = rest % uniforms.samples;
      let split = rest / uniforms.samples;
      if (lane == 0) {
        let last = min(first + ${queries}, uniforms.queries) - 1;
        let seen = min(uniforms.keyCount, uniforms.seen + last * uniforms.seenMore);
        let start = split * uniforms.span;
        range = vec2<i32>(start, select(0, min(seen, start + uniforms.span), split < uniforms.splits));
      }
      let keyRange = workgroupUniformLoad(&range);
      let source = sample * uniforms.keys * channels + head * ${fours};
      ${this.declareQueries()}
      ${this.half ? this.loadQueries() : ''}
      for (var start = keyRange.x; start < keyRange.y; start += ${keys}) {
        ${this.loadTile('k')}
        workgroupBarrier();
        ${this.score()}
        workgroupBarrier();
        ${this.loadTile('v')}
        ${this.weigh()}
        workgroupBarrier();
        ${this.sumValues()}
        workgroupBarrier();
      }
      ${this.finish()}
    }`;
  }

  private get half(): boolean {
    return this.variant.factors === 'f16';
  }

  private each(line: (row: number) => string): string {
    return Array.from({ length: this.variant.rows }, (_, row) => line(row)).join('\n');
  }

  private eachColumn(expression: (column: number) => string): string[] {
    return Array.from({ length: this.variant.columns }, (_, column) => expression(column));
  }

  /** Fours of channels that a thread sums. */
  private eachChannel(line: (channel: number) => string): string {
    return Array.from({ length: Math.ceil(this.variant.fours / SIDE) }, (_, channel) => line(channel)).join(
      '\n',
    );
  }

  /** Row r: query i, the first of its channels, the keys it sees, largest score and sum of this thread's weights so far. */
  private declareQueries(): string {
    const { fours, rows } = this.variant;
    return `
      let working = first + y * ${rows} < uniforms.queries;
      ${this.each(
        (r) => `let i${r} = min(first + y * ${rows} + ${r}, uniforms.queries - 1);
      let q${r} = ((sample * uniforms.queries + i${r}) * uniforms.heads + head) * ${fours};
      let seen${r} = min(uniforms.keyCount, uniforms.seen + i${r} * uniforms.seenMore);
      var high${r} = NOTHING;
      var sum${r} = 0.0;
      ${this.eachChannel((c) => `var o${r}_${c} = vec4<f32>(0.0);`)}`,
      )}
      ${this.eachChannel((c) => `let c${c} = min(x + ${SIDE * c}, ${fours - 1});`)}`;
  }

  private loadQueries(): string {
    const { fours } = this.variant;
    return `
      for (var e = lane; e < ${queriesAtOnce(this.variant) * fours}; e += ${WORKGROUP}) {
        let i = min(first + e / ${fours}, uniforms.queries - 1);
        let at = ((sample * uniforms.queries + i) * uniforms.heads + head) * ${fours} + e % ${fours};
        own[e / ${fours} * ${fours + 1} + e % ${fours}] = vec4<f16>(q[at] * uniforms.scale);
      }`;
  }

  private loadTile(name: 'k' | 'v'): string {
    const { fours } = this.variant;
    return `
        for (var e = lane; e < ${keysAtOnce(this.variant) * fours}; e += ${WORKGROUP}) {
          let row = e / ${fours};
          let at = source + (start + row) * channels + e % ${fours};
          var loaded = vec4<f32>(0.0);
          if (start + row < keyRange.y) { loaded = ${name}[at]; }
          tile[row * ${fours + 1} + e % ${fours}] = ${this.half ? 'vec4<f16>(loaded)' : 'loaded'};
        }`;
  }

  /** s: scores of the thread's queries against its keys; their maxima go to the row. */
  private score(): string {
    const { fours, columns } = this.variant;
    const vector = `vec${columns}<f32>`;
    const keys = this.eachColumn((c) => `start + x + ${SIDE * c}`).join(', ');
    const highest =
      columns === 4
        ? (s: string) => `max(max(${s}.x, ${s}.y), max(${s}.z, ${s}.w))`
        : (s: string) => `max(${s}.x, ${s}.y)`;
    return `
        ${this.each((r) => `var s${r} = ${vector}(0.0);`)}
        if (working) {
          ${this.half ? this.each((r) => this.eachColumn((c) => `var p${r}_${c} = vec4<f16>(0.0);`).join(' ')) : ''}
          for (var i = 0; i < ${fours}; i++) {
            ${this.eachColumn((c) => `let k${c} = tile[(x + ${SIDE * c}) * ${fours + 1} + i];`).join('\n')}
            ${this.each((r) => this.addScores(r))}
          }
          ${this.half ? this.each((r) => `s${r} = ${vector}(${this.eachColumn((c) => `dot(vec4<f32>(p${r}_${c}), vec4<f32>(1.0))`).join(', ')});`) : ''}
        }
        let key = vec${columns}<i32>(${keys});
        ${this.each(
          (
            r,
          ) => `s${r} = select(${vector}(NOTHING), s${r}${this.half ? '' : ' * uniforms.scale'}, key < vec${columns}<i32>(seen${r}));
        shared8[(y * ${this.variant.rows} + ${r}) * ${SIDE} + x] = ${highest(`s${r}`)};`,
        )}`;
  }

  /** Query r and four channels of each key. In float16 four by four, to be added up at the end. */
  private addScores(r: number): string {
    const { fours, rows, columns } = this.variant;
    if (this.half) {
      const products = this.eachColumn((c) => `p${r}_${c} = fma(a, k${c}, p${r}_${c});`).join(' ');
      return `{ let a = own[(y * ${rows} + ${r}) * ${fours + 1} + i]; ${products} }`;
    }
    const products = this.eachColumn((c) => `dot(a, k${c})`).join(', ');
    return `{ let a = q[q${r} + i]; s${r} += vec${columns}<f32>(${products}); }`;
  }

  /** Turns scores into weights relative to the row's largest score so far, and what was summed before to the same. */
  private weigh(): string {
    const { rows, columns } = this.variant;
    const vector = `vec${columns}<f32>`;
    return this.each(
      (r) => `{
          let row = (y * ${rows} + ${r}) * ${SIDE};
          var high = high${r};
          for (var i = 0; i < ${SIDE}; i++) { high = max(high, shared8[row + i]); }
          let before = exp2(high${r} - high);
          let weight = select(${vector}(0.0), exp2(s${r} - ${vector}(high)), s${r} > ${vector}(NOTHING));
          high${r} = high;
          ${this.half ? `let rounded = vec${columns}<f16>(weight);` : ''}
          sum${r} = sum${r} * before + dot(${this.half ? `${vector}(rounded)` : 'weight'}, ${vector}(1.0));
          weights[row + x] = ${this.half ? 'rounded' : 'weight'};
          ${this.eachChannel((c) => `o${r}_${c} *= before;`)}
        }`,
    );
  }

  /** o: the sums of values so far; t: those of the tile, where they are made in float16. */
  private sumValues(): string {
    const { fours, rows, factors } = this.variant;
    const sum = this.half ? 't' : 'o';
    const eachSum = (line: (r: number, c: number) => string): string =>
      this.each((r) => this.eachChannel((c) => line(r, c)));
    return `
        if (working) {
          ${this.half ? eachSum((r, c) => `var t${r}_${c} = vec4<f16>(0.0);`) : ''}
          for (var i = 0; i < ${SIDE}; i++) {
            ${this.each((r) => `let w${r} = weights[(y * ${rows} + ${r}) * ${SIDE} + i];`)}
            ${this.eachColumn(
              (column) => `{
              let row = (i + ${SIDE * column}) * ${fours + 1};
              ${this.eachChannel(
                (c) => `let v${c} = tile[row + c${c}];
              ${this.each((r) => `${sum}${r}_${c} = fma(vec4<${factors}>(w${r}[${column}]), v${c}, ${sum}${r}_${c});`)}`,
              )}
            }`,
            ).join('\n')}
          }
          ${this.half ? eachSum((r, c) => `o${r}_${c} += vec4<f32>(t${r}_${c});`) : ''}
        }`;
  }

  /** Adds up the row's weights and writes. */
  private finish(): string {
    const { fours, rows, split } = this.variant;
    const queries = '(sample * uniforms.queries + query) * uniforms.heads + head';
    const whole = (r: number): string => `
        let at = (${queries}) * ${fours};
        let factor = select(0.0, 1.0 / total, total > 0.0);
        ${this.eachChannel((c) => `if (x + ${SIDE * c} < ${fours}) { result[at + c${c}] = o${r}_${c} * factor; }`)}`;
    const part = (r: number): string => `
        let at = (split * uniforms.samples * uniforms.queries * uniforms.heads + ${queries}) * ${fours + 1};
        ${this.eachChannel((c) => `if (x + ${SIDE * c} < ${fours}) { result[at + c${c}] = o${r}_${c}; }`)}
        if (x == 0) { result[at + ${fours}] = vec4<f32>(high${r} + uniforms.weight, total, 0.0, 0.0); }`;
    return `
      ${this.each((r) => `shared8[(y * ${rows} + ${r}) * ${SIDE} + x] = sum${r};`)}
      workgroupBarrier();
      ${this.each(
        (r) => `{
        let query = first + y * ${rows} + ${r};
        var total = 0.0;
        for (var i = 0; i < ${SIDE}; i++) { total += shared8[(y * ${rows} + ${r}) * ${SIDE} + i]; }
        if (query < uniforms.queries && split < uniforms.splits) {
          ${split ? part(r) : whole(r)}
        }
      }`,
      )}`;
  }
}
