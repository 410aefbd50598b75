const NOTHING = -1e30;                             // the score of a key that is not seen
// float16
var<workgroup> tile : array<vec4<f16>, 96>;   // keys, then values: [key, d/4 and one]
var<workgroup> own : array<vec4<f16>, 48>;    // queries times scale: [query, d/4 and one]
var<workgroup> weights : array<vec2<f16>, 64>; // [query, x]: e^score of keys x, x + 8, …
var<workgroup> shared8 : array<f32, 64>;     // [query, x]: a number of each thread of a row
var<workgroup> range : vec2<i32>;                  // first key, and the end of the keys
fn main(index : i32) {
  let lane = index % 64;
  let x = lane % 8;
  let y = lane / 8;
  let channels = uniforms.heads * 5;        // C/4
  // Neighbouring workgroups read the same keys. A reshaped dispatch may have workgroups to spare: split = splits.
  var rest = index / 64;
  let first = rest % uniforms.blocks * 8; rest = rest / uniforms.blocks;
  let head = rest % uniforms.heads; rest = rest / uniforms.heads;
  let sample = rest % uniforms.samples;
  let split = rest / uniforms.samples;
  if (lane == 0) {
    let last = min(first + 8, uniforms.queries) - 1;
    let seen = min(uniforms.keyCount, uniforms.seen + last * uniforms.seenMore);
    let start = split * uniforms.span;
    range = vec2<i32>(start, select(0, min(seen, start + uniforms.span), split < uniforms.splits));
  }
  let keyRange = workgroupUniformLoad(&range);
  let source = sample * uniforms.keys * channels + head * 5;
  let working = first + y * 1 < uniforms.queries;
  let i0 = min(first + y * 1 + 0, uniforms.queries - 1);
  let q0 = ((sample * uniforms.queries + i0) * uniforms.heads + head) * 5;
  let seen0 = min(uniforms.keyCount, uniforms.seen + i0 * uniforms.seenMore);
  var high0 = NOTHING;
  var sum0 = 0.0;
  var o0_0 = vec4<f32>(0.0);
  let c0 = min(x + 0, 4);
  for (var e = lane; e < 40; e += 64) {
    let i = min(first + e / 5, uniforms.queries - 1);
    let at = ((sample * uniforms.queries + i) * uniforms.heads + head) * 5 + e % 5;
    own[e / 5 * 6 + e % 5] = vec4<f16>(q[at] * uniforms.scale);
  }
  for (var start = keyRange.x; start < keyRange.y; start += 16) {
    for (var e = lane; e < 80; e += 64) {
      let row = e / 5;
      let at = source + (start + row) * channels + e % 5;
      var loaded = vec4<f32>(0.0);
      if (start + row < keyRange.y) { loaded = k[at]; }
      tile[row * 6 + e % 5] = vec4<f16>(loaded);
    }
    workgroupBarrier();
    var s0 = vec2<f32>(0.0);
    if (working) {
      var p0_0 = vec4<f16>(0.0); var p0_1 = vec4<f16>(0.0);
      for (var i = 0; i < 5; i++) {
        let k0 = tile[(x + 0) * 6 + i];
        let k1 = tile[(x + 8) * 6 + i];
        { let a = own[(y * 1 + 0) * 6 + i]; p0_0 = fma(a, k0, p0_0); p0_1 = fma(a, k1, p0_1); }
      }
      s0 = vec2<f32>(dot(vec4<f32>(p0_0), vec4<f32>(1.0)), dot(vec4<f32>(p0_1), vec4<f32>(1.0)));
    }
    let key = vec2<i32>(start + x + 0, start + x + 8);
    s0 = select(vec2<f32>(NOTHING), s0, key < vec2<i32>(seen0));
    shared8[(y * 1 + 0) * 8 + x] = max(s0.x, s0.y);
    workgroupBarrier();
    for (var e = lane; e < 80; e += 64) {
      let row = e / 5;
      let at = source + (start + row) * channels + e % 5;
      var loaded = vec4<f32>(0.0);
      if (start + row < keyRange.y) { loaded = v[at]; }
      tile[row * 6 + e % 5] = vec4<f16>(loaded);
    }
    {
      let row = (y * 1 + 0) * 8;
      var high = high0;
      for (var i = 0; i < 8; i++) { high = max(high, shared8[row + i]); }
      let before = exp2(high0 - high);
      let weight = select(vec2<f32>(0.0), exp2(s0 - vec2<f32>(high)), s0 > vec2<f32>(NOTHING));
      high0 = high;
      let rounded = vec2<f16>(weight);
      sum0 = sum0 * before + dot(vec2<f32>(rounded), vec2<f32>(1.0));
      weights[row + x] = rounded;
      o0_0 *= before;
    }
    workgroupBarrier();
    if (working) {
      var t0_0 = vec4<f16>(0.0);
      for (var i = 0; i < 8; i++) {
        let w0 = weights[(y * 1 + 0) * 8 + i];
        {
          let row = (i + 0) * 6;
          let v0 = tile[row + c0];
          t0_0 = fma(vec4<f16>(w0[0]), v0, t0_0);
        }
        {
          let row = (i + 8) * 6;
          let v0 = tile[row + c0];
          t0_0 = fma(vec4<f16>(w0[1]), v0, t0_0);
        }
      }
      o0_0 += vec4<f32>(t0_0);
    }
    workgroupBarrier();
  }
  shared8[(y * 1 + 0) * 8 + x] = sum0;
  workgroupBarrier();
  {
    let query = first + y * 1 + 0;
    var total = 0.0;
    for (var i = 0; i < 8; i++) { total += shared8[(y * 1 + 0) * 8 + i]; }
    if (query < uniforms.queries && split < uniforms.splits) {
      let at = ((sample * uniforms.queries + query) * uniforms.heads + head) * 5;
      let factor = select(0.0, 1.0 / total, total > 0.0);
      if (x + 0 < 5) { result[at + c0] = o0_0 * factor; }
    }
  }
}
