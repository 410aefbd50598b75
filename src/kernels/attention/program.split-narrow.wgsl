const NOTHING = -1e30;                             // the score of a key that is not seen
var<workgroup> tile : array<vec4<f32>, 96>;   // keys, then values: [key, d/4 and one]
var<workgroup> weights : array<vec2<f32>, 64>; // [query, x]: e^score of keys x, x + 8, …
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
  for (var start = keyRange.x; start < keyRange.y; start += 16) {
    for (var e = lane; e < 80; e += 64) {
      let row = e / 5;
      let at = source + (start + row) * channels + e % 5;
      var loaded = vec4<f32>(0.0);
      if (start + row < keyRange.y) { loaded = k[at]; }
      tile[row * 6 + e % 5] = loaded;
    }
    workgroupBarrier();
    var s0 = vec2<f32>(0.0);
    if (working) {
      for (var i = 0; i < 5; i++) {
        let k0 = tile[(x + 0) * 6 + i];
        let k1 = tile[(x + 8) * 6 + i];
        { let a = q[q0 + i]; s0 += vec2<f32>(dot(a, k0), dot(a, k1)); }
      }
    }
    let key = vec2<i32>(start + x + 0, start + x + 8);
    s0 = select(vec2<f32>(NOTHING), s0 * uniforms.scale, key < vec2<i32>(seen0));
    shared8[(y * 1 + 0) * 8 + x] = max(s0.x, s0.y);
    workgroupBarrier();
    for (var e = lane; e < 80; e += 64) {
      let row = e / 5;
      let at = source + (start + row) * channels + e % 5;
      var loaded = vec4<f32>(0.0);
      if (start + row < keyRange.y) { loaded = v[at]; }
      tile[row * 6 + e % 5] = loaded;
    }
    {
      let row = (y * 1 + 0) * 8;
      var high = high0;
      for (var i = 0; i < 8; i++) { high = max(high, shared8[row + i]); }
      let before = exp2(high0 - high);
      let weight = select(vec2<f32>(0.0), exp2(s0 - vec2<f32>(high)), s0 > vec2<f32>(NOTHING));
      high0 = high;
      sum0 = sum0 * before + dot(weight, vec2<f32>(1.0));
      weights[row + x] = weight;
      o0_0 *= before;
    }
    workgroupBarrier();
    if (working) {
      for (var i = 0; i < 8; i++) {
        let w0 = weights[(y * 1 + 0) * 8 + i];
        {
          let row = (i + 0) * 6;
          let v0 = tile[row + c0];
          o0_0 = fma(vec4<f32>(w0[0]), v0, o0_0);
        }
        {
          let row = (i + 8) * 6;
          let v0 = tile[row + c0];
          o0_0 = fma(vec4<f32>(w0[1]), v0, o0_0);
        }
      }
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
      let at = (split * uniforms.samples * uniforms.queries * uniforms.heads + (sample * uniforms.queries + query) * uniforms.heads + head) * 6;
      if (x + 0 < 5) { result[at + c0] = o0_0; }
      if (x == 0) { result[at + 5] = vec4<f32>(high0 + uniforms.weight, total, 0.0, 0.0); }
    }
  }
}
