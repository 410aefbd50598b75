/**
 * WGSL of the samplers' noise on codes: the same counters through the same Threefry-2x32 as src/sampling/random.ts, so
 * the same words, bit for bit; and -ln of them in float32, to 4e-7 where that file has float64. No log() of WGSL's, whose
 * error is absolute near 1, where the small numbers are that win the race.
 */

/** As in src/sampling/random.ts. */
const STREAMS = 8;
const CODES_STREAM = 0;
const REFINE = 4;
export const COUNTERS_PER_POSITION = 1 << 15;
const PARITY = 0x1bd11bda;
const ROTATIONS = [
  [13, 15, 26, 6],
  [17, 29, 16, 24],
] as const;

/** Four rounds and a key injection, five times. */
function rounds(): string {
  return [0, 1, 2, 3, 4]
    .map((i) => {
      const four = (ROTATIONS[i % 2] ?? [])
        .map((by) => `a += b; b = ((b << ${by}u) | (b >> ${32 - by}u)) ^ a;`)
        .join(' ');
      return `${four}\n  a += k${(i + 1) % 3}; b += k${(i + 2) % 3} + ${i + 1}u;`;
    })
    .join('\n  ');
}

/** `drawNoise(site, pair)`: exponential(1) noise of codes 2·pair and 2·pair + 1 of a row. */
export const NOISE = `
struct Site { seed : u32, sample : u32, step : u32, position : u32 };

fn threefry(k0 : u32, k1 : u32, high : u32, low : u32) -> vec2<u32> {
  let k2 = k0 ^ k1 ^ ${PARITY}u;
  var a = high + k0;
  var b = low + k1;
  ${rounds()}
  return vec2<u32>(a, b);
}

// -ln((word + fraction) / 2^32), where fraction stands for (more + 1/2) / 2^32 if refined, and for 1/2 if not.
fn exponential(word : u32, more : u32, refined : bool) -> f32 {
  // From sqrt(1/2) on, 1 - u has all the bits that matter: -ln(1 - d) = 2 artanh(d / (2 - d)).
  let nearOne = word >= 0xb504f334u;
  let whole = select(word, ~word, nearOne);
  let fraction = (f32(select(more, ~more, nearOne)) + 0.5) * ${2 ** -32};
  let x = f32(whole) + select(0.5, fraction, refined);
  var f : f32;
  var halvings = 0.0;
  if (nearOne) {
    let d = x * ${2 ** -32};
    f = -d / (2.0 - d);
  } else {                                         // x = m 2^exponent, m in [sqrt(1/2), sqrt(2)]
    let bits = bitcast<u32>(x);
    var exponent = i32(bits >> 23u) - 127;
    var m = bitcast<f32>((bits & 0x7fffffu) | 0x3f800000u);
    if (m > ${Math.fround(Math.SQRT2)}) { m *= 0.5; exponent += 1; }
    f = (m - 1.0) / (m + 1.0);
    halvings = f32(32 - exponent);
  }
  let s = f * f;                                   // below 0.0295, so the term left out, s^5 / 11, is below 3e-9
  let series = 1.0 + s * (${1 / 3} + s * (0.2 + s * (${1 / 7} + s * ${1 / 9})));
  return halvings * ${Math.LN2} - 2.0 * f * series;
}

fn drawNoise(site : Site, pair : u32) -> vec2<f32> {
  let low = site.position * ${COUNTERS_PER_POSITION}u + pair;
  let stream = site.sample * ${STREAMS}u + ${CODES_STREAM}u;
  let words = threefry(site.seed, stream, site.step, low);
  let extreme = (words + 4096u) < vec2<u32>(8192u);   // two words in a million
  var more = vec2<u32>(0u);
  if (any(extreme)) { more = threefry(site.seed, stream + ${REFINE}u, site.step, low); }
  return vec2<f32>(exponential(words.x, more.x, extreme.x), exponential(words.y, more.y, extreme.y));
}`;
