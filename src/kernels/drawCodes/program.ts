/**
 * From logits to one code a row, in WGSL: temperature, top-k, softmax, top-p and the race of probability over
 * exponential noise, by the rules of src/sampling/filtering.ts, which is this kernel's reference.
 *
 * Layout: logits [rows, V] of the targets from `first` on, positions [B·NT, 1]; result [B·NT, 2]: code, its probability.
 * One workgroup of 256 threads a row; thread l takes codes l, l + 256, … (pairs of codes in the race, since a counter
 * makes two words). A row is read from memory once for its largest logit and once for the race; top-k adds three
 * readings, top-p four, and three more if codes of equal weight are parted. No sort: a cut is found digit by digit, from
 * histograms over the bits of the logits. 11.3 KiB of workgroup memory.
 *
 * Top-k is exact. The mass of top-p is counted in whole units of 2^-31, so that the order of the threads is without
 * effect. Weights, noise and ratios are float32: two codes that come within a few 1e-6 of one another in the race may
 * change places, or a code at the edge of top-p; elsewhere the reference has float64.
 */
import type { WebGPUProgram } from '@tensorflow/tfjs-backend-webgpu';
import { NOISE } from './noise';

const THREADS = 256;
/** A cut is found in three digits: 10 + 11 + 11 bits. */
const DIGIT = 11;
const BINS = 2 ** DIGIT;
const BINS_PER_THREAD = BINS / THREADS;

export class DrawCodesProgram implements WebGPUProgram {
  readonly variableNames = ['logits', 'positions'];
  /** `targets`: rows of a sample, NT. `scale` divides by the temperature. topK 0 and topP 1 cut nothing. */
  readonly uniforms =
    'vocabulary : i32, rows : i32, first : i32, targets : i32, seed : i32, step : i32, topK : i32, topP : f32, scale : f32,';
  readonly workgroupSize: [number, number, number] = [THREADS, 1, 1];
  readonly dispatchLayout = { x: [0] };
  readonly dispatch: [number, number, number];
  readonly outputShape: number[];
  readonly shaderKey = 'mebtDrawCodes';

  constructor(rows: number) {
    this.outputShape = [rows, 2];
    this.dispatch = [rows, 1, 1];
  }

  getUserCode(): string {
    return [MEMORY, NOISE, WEIGHTS, REDUCTIONS, CUTS, MAIN].join('\n');
  }
}

const MEMORY = `
var<workgroup> bins : array<atomic<u32>, ${BINS}>;
var<workgroup> counts : array<u32, ${THREADS}>;
var<workgroup> values : array<f32, ${THREADS}>;
var<workgroup> found : Cut;

var<private> lane : i32;
var<private> start : i32;              // of the row in logits
var<private> largest : f32;            // logit of the row
var<private> least = 0u;               // the lowest key that stays,
var<private> lastTie = 0x7fffffff;     // and the last code that stays of those that have it
var<private> units : f32;              // of mass, to a weight of 1`;

const WEIGHTS = `
// Logits to integers in the same order; NaN comes out on top, to be complained about.
fn keyOf(logit : f32) -> u32 {
  let bits = bitcast<u32>(logit);
  if ((bits & 0x7fffffffu) > 0x7f800000u) { return 0xffffffffu; }
  if (bits == 0x80000000u) { return bits; }        // -0 is 0
  return select(bits | 0x80000000u, ~bits, bits >= 0x80000000u);
}
fn logitOf(key : u32) -> f32 {
  return bitcast<f32>(select(~key, key & 0x7fffffffu, key >= 0x80000000u));
}
// e^((logit - largest) / temperature), to 2 units in the last place plus what rounding its argument adds.
fn weightOf(logit : f32) -> f32 {
  let x = (logit - largest) * uniforms.scale;
  if (!(x >= -87.0)) { return 0.0; }
  let n = round(x * ${Math.LOG2E});
  let r = (x - n * 0.693145751953125) - n * 1.428606820309417e-6;   // ln 2 in two parts; |r| < 0.347
  let series = 1.0 + r * (1.0 + r * (0.5 + r * (${1 / 6} + r * (${1 / 24} + r * (${1 / 120} + r * (${1 / 720} + r * ${1 / 5040}))))));
  return series * bitcast<f32>(u32(i32(n) + 127) << 23u);
}
fn unitsOf(logit : f32) -> u32 { return u32(weightOf(logit) * units + 0.5); }
// Weight of a code; 0 if it was cut.
fn keptWeight(code : i32) -> f32 {
  let logit = logits[start + code];
  let key = keyOf(logit);
  if (key < least || (key == least && code > lastTie)) { return 0.0; }
  return weightOf(logit);
}`;

/** Every function with a barrier is called by all threads of a workgroup. */
const REDUCTIONS = `
fn totalOf(value : f32) -> f32 {
  workgroupBarrier();                              // what was reduced before may still be being read
  values[lane] = value;
  workgroupBarrier();
  for (var half = ${THREADS / 2}; half > 0; half = half / 2) {
    if (lane < half) { values[lane] += values[lane + half]; }
    workgroupBarrier();
  }
  return values[0];
}
fn largestOf(value : u32) -> u32 {
  workgroupBarrier();
  counts[lane] = value;
  workgroupBarrier();
  for (var half = ${THREADS / 2}; half > 0; half = half / 2) {
    if (lane < half) { counts[lane] = max(counts[lane], counts[lane + half]); }
    workgroupBarrier();
  }
  return counts[0];
}
// The code of the largest ratio; of equal ratios the lower code.
fn winnerOf(ratio : f32, code : i32) -> i32 {
  workgroupBarrier();
  values[lane] = ratio;
  counts[lane] = u32(code);
  workgroupBarrier();
  for (var half = ${THREADS / 2}; half > 0; half = half / 2) {
    if (lane < half) {
      let other = values[lane + half];
      let otherCode = counts[lane + half];
      if (other > values[lane] || (other == values[lane] && otherCode < counts[lane])) {
        values[lane] = other;
        counts[lane] = otherCode;
      }
    }
    workgroupBarrier();
  }
  return i32(counts[0]);
}`;

const CUTS = `
const COUNT = 0u;                      // codes in the order of their logits, one each
const MASS = 1u;                       // the same, by the mass that top-k left
const ORDER = 2u;                      // codes whose key is \`least\`, the lower ones first, one each

// What is left when the largest keys have been taken until \`wanted\` of the whole is reached.
struct Cut {
  key : u32,                           // the last one that had to be taken, wholly or in part
  rest : u32,                          // how much of it
  amount : u32,                        // how much there is of it
  each : u32,                          // and in one of its codes
};
fn amountOf(logit : f32, mode : u32) -> u32 {
  if (mode == COUNT) { return 1u; }
  let key = keyOf(logit);
  if (mode == ORDER) { return select(0u, 1u, key == least); }
  if (key < least) { return 0u; }
  return unitsOf(logit);
}
// \`wanted\` in codes; of MASS it is found here, from the share \`uniforms.topP\` of the whole.
fn findCut(mode : u32, codes : u32) -> Cut {
  var wanted = codes;
  var cut : Cut;
  for (var shift = ${2 * DIGIT}u; ; shift -= ${DIGIT}u) {
    for (var bin = lane; bin < ${BINS}; bin += ${THREADS}) { atomicStore(&bins[bin], 0u); }
    workgroupBarrier();
    for (var code = lane; code < uniforms.vocabulary; code += ${THREADS}) {
      let logit = logits[start + code];
      let digits = select(keyOf(logit), ~u32(code), mode == ORDER) >> shift;
      if ((digits >> ${DIGIT}u) == cut.key) {
        let amount = amountOf(logit, mode);
        if (amount > 0u) { atomicAdd(&bins[digits & ${BINS - 1}u], amount); }
      }
    }
    workgroupBarrier();
    // counts[l]: the amount in the bins of thread l and above.
    var own = 0u;
    for (var i = 0; i < ${BINS_PER_THREAD}; i++) { own += atomicLoad(&bins[lane * ${BINS_PER_THREAD} + i]); }
    counts[lane] = own;
    workgroupBarrier();
    for (var far = 1; far < ${THREADS}; far = far * 2) {
      var sum = counts[lane];
      if (lane + far < ${THREADS}) { sum += counts[lane + far]; }
      workgroupBarrier();
      counts[lane] = sum;
      workgroupBarrier();
    }
    let whole = counts[0];
    if (mode == MASS && shift == ${2 * DIGIT}u) { wanted = max(1u, u32(f32(whole) * uniforms.topP)); }
    wanted = min(wanted, whole);
    let above = counts[lane] - own;
    if (above < wanted && wanted <= counts[lane]) {       // true for one thread
      var bin = lane * ${BINS_PER_THREAD} + ${BINS_PER_THREAD - 1};
      var rest = wanted - above;
      for (; rest > atomicLoad(&bins[bin]); bin--) { rest -= atomicLoad(&bins[bin]); }
      let key = (cut.key << ${DIGIT}u) | u32(bin);
      let each = select(1u, max(1u, unitsOf(logitOf(key))), mode == MASS && shift == 0u);
      found = Cut(key, rest, atomicLoad(&bins[bin]), each);
    }
    cut = workgroupUniformLoad(&found);
    wanted = cut.rest;
    if (shift == 0u) { break; }
  }
  return cut;
}`;

const MAIN = `
fn main(index : i32) {
  // Rows from the flat index: a dispatch over 65,535 workgroups is reshaped, and may then have some to spare.
  let row = min(index / ${THREADS}, uniforms.rows - 1);
  lane = index % ${THREADS};
  start = row * uniforms.vocabulary;
  var key = 0u;
  for (var code = lane; code < uniforms.vocabulary; code += ${THREADS}) { key = max(key, keyOf(logits[start + code])); }
  let top = largestOf(key);
  largest = logitOf(top);

  if (uniforms.topK > 0 && uniforms.topK < uniforms.vocabulary) {
    least = findCut(COUNT, u32(uniforms.topK)).key;
  }
  if (uniforms.topP < 1.0) {
    var sum = 0.0;
    for (var code = lane; code < uniforms.vocabulary; code += ${THREADS}) { sum += keptWeight(code); }
    units = ${2 ** 31}.0 / totalOf(sum);
    let cut = findCut(MASS, 0u);
    least = cut.key;
    let ties = (cut.rest + cut.each - 1u) / cut.each;
    if (ties * cut.each < cut.amount) { lastTie = i32(~findCut(ORDER, ties).key); }
  }

  let place = uniforms.first + row;                  // among all targets of the batch
  let site = Site(u32(uniforms.seed), u32(place / uniforms.targets), u32(uniforms.step), u32(positions[place]));
  var best = -1.0;
  var winner = 0;
  var sum = 0.0;
  for (var code = 2 * lane; code < uniforms.vocabulary; code += ${2 * THREADS}) {
    var weights = vec2<f32>(keptWeight(code), 0.0);
    if (code + 1 < uniforms.vocabulary) { weights.y = keptWeight(code + 1); }
    if (all(weights == vec2<f32>(0.0))) { continue; }
    sum += weights.x + weights.y;
    let ratios = weights / drawNoise(site, u32(code / 2));
    if (ratios.x > best) { best = ratios.x; winner = code; }
    if (ratios.y > best) { best = ratios.y; winner = code + 1; }
  }
  let total = totalOf(sum);
  winner = winnerOf(best, winner);
  if (lane == 0) {
    let finite = top > 0x007fffffu && top < 0xff800000u;
    result[2 * place] = select(-1.0, f32(winner), finite);
    result[2 * place + 1] = weightOf(logits[start + winner]) / total;
  }
}`;
