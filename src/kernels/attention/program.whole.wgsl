const NOTHING = -1e30;                             // the score of a key that is not seen
var<workgroup> tile : array<vec4<f32>, 288>;   // keys, then values: [key, d/4 and one]
var<workgroup> weights : array<vec4<f32>, 256>; // [query, x]: e^score of keys x, x + 8, …
var<workgroup> shared8 : array<f32, 256>;     // [query, x]: a number of each thread of a row
var<workgroup> range : vec2<i32>;                  // first key, and the end of the keys
fn main(index : i32) {
  let lane = index % 64;
  let x = lane % 8;
  let y = lane / 8;
  let channels = uniforms.heads * 8;        // C/4
  // Neighbouring workgroups read the same keys. A reshaped dispatch may have workgroups to spare: split = splits.
  var rest = index / 64;
  let first = rest % uniforms.blocks * 32; rest = rest / uniforms.blocks;
  let head = rest % uniforms.heads; rest = rest / uniforms.heads;
  let sample = rest % uniforms.samples;
  let split = rest / uniforms.samples;
  if (lane == 0) {
    let last = min(first + 32, uniforms.queries) - 1;
    let seen = min(uniforms.keyCount, uniforms.seen + last * uniforms.seenMore);
    let start = split * uniforms.span;
    range = vec2<i32>(start, select(0, min(seen, start + uniforms.span), split < uniforms.splits));
  }
  let keyRange = workgroupUniformLoad(&range);
  let source = sample * uniforms.keys * channels + head * 8;
  let working = first + y * 4 < uniforms.queries;
  let i0 = min(first + y * 4 + 0, uniforms.queries - 1);
  let q0 = ((sample * uniforms.queries + i0) * uniforms.heads + head) * 8;
  let seen0 = min(uniforms.keyCount, uniforms.seen + i0 * uniforms.seenMore);
  var high0 = NOTHING;
  var sum0 = 0.0;
  var o0_0 = vec4<f32>(0.0);
  let i1 = min(first + y * 4 + 1, uniforms.queries - 1);
  let q1 = ((sample * uniforms.queries + i1) * uniforms.heads + head) * 8;
  let seen1 = min(uniforms.keyCount, uniforms.seen + i1 * uniforms.seenMore);
  var high1 = NOTHING;
  var sum1 = 0.0;
  var o1_0 = vec4<f32>(0.0);
  let i2 = min(first + y * 4 + 2, uniforms.queries - 1);
  let q2 = ((sample * uniforms.queries + i2) * uniforms.heads + head) * 8;
  let seen2 = min(uniforms.keyCount, uniforms.seen + i2 * uniforms.seenMore);
  var high2 = NOTHING;
  var sum2 = 0.0;
  var o2_0 = vec4<f32>(0.0);
  let i3 = min(first + y * 4 + 3, uniforms.queries - 1);
  let q3 = ((sample * uniforms.queries + i3) * uniforms.heads + head) * 8;
  let seen3 = min(uniforms.keyCount, uniforms.seen + i3 * uniforms.seenMore);
  var high3 = NOTHING;
  var sum3 = 0.0;
  var o3_0 = vec4<f32>(0.0);
  let c0 = min(x + 0, 7);
  for (var start = keyRange.x; start < keyRange.y; start += 32) {
    for (var e = lane; e < 256; e += 64) {
      let row = e / 8;
      let at = source + (start + row) * channels + e % 8;
      var loaded = vec4<f32>(0.0);
      if (start + row < keyRange.y) { loaded = k[at]; }
      tile[row * 9 + e % 8] = loaded;
    }
    workgroupBarrier();
    var s0 = vec4<f32>(0.0);
    var s1 = vec4<f32>(0.0);
    var s2 = vec4<f32>(0.0);
    var s3 = vec4<f32>(0.0);
    if (working) {
      for (var i = 0; i < 8; i++) {
        let k0 = tile[(x + 0) * 9 + i];
        let k1 = tile[(x + 8) * 9 + i];
        let k2 = tile[(x + 16) * 9 + i];
        let k3 = tile[(x + 24) * 9 + i];
        { let a = q[q0 + i]; s0 += vec4<f32>(dot(a, k0), dot(a, k1), dot(a, k2), dot(a, k3)); }
        { let a = q[q1 + i]; s1 += vec4<f32>(dot(a, k0), dot(a, k1), dot(a, k2), dot(a, k3)); }
        { let a = q[q2 + i]; s2 += vec4<f32>(dot(a, k0), dot(a, k1), dot(a, k2), dot(a, k3)); }
        { let a = q[q3 + i]; s3 += vec4<f32>(dot(a, k0), dot(a, k1), dot(a, k2), dot(a, k3)); }
      }
    }
    let key = vec4<i32>(start + x + 0, start + x + 8, start + x + 16, start + x + 24);
    s0 = select(vec4<f32>(NOTHING), s0 * uniforms.scale, key < vec4<i32>(seen0));
    shared8[(y * 4 + 0) * 8 + x] = max(max(s0.x, s0.y), max(s0.z, s0.w));
    s1 = select(vec4<f32>(NOTHING), s1 * uniforms.scale, key < vec4<i32>(seen1));
    shared8[(y * 4 + 1) * 8 + x] = max(max(s1.x, s1.y), max(s1.z, s1.w));
    s2 = select(vec4<f32>(NOTHING), s2 * uniforms.scale, key < vec4<i32>(seen2));
    shared8[(y * 4 + 2) * 8 + x] = max(max(s2.x, s2.y), max(s2.z, s2.w));
    s3 = select(vec4<f32>(NOTHING), s3 * uniforms.scale, key < vec4<i32>(seen3));
    shared8[(y * 4 + 3) * 8 + x] = max(max(s3.x, s3.y), max(s3.z, s3.w));
    workgroupBarrier();
    for (var e = lane; e < 256; e += 64) {
      let row = e / 8;
      let at = source + (start + row) * channels + e % 8;
      var loaded = vec4<f32>(0.0);
      if (start + row < keyRange.y) { loaded = v[at]; }
      tile[row * 9 + e % 8] = loaded;
    }
    {
      let row = (y * 4 + 0) * 8;
      var high = high0;
      for (var i = 0; i < 8; i++) { high = max(high, shared8[row + i]); }
      let before = exp2(high0 - high);
      let weight = select(vec4<f32>(0.0), exp2(s0 - vec4<f32>(high)), s0 > vec4<f32>(NOTHING));
      high0 = high;
      sum0 = sum0 * before + dot(weight, vec4<f32>(1.0));
      weights[row + x] = weight;
      o0_0 *= before;
    }
    {
      let row = (y * 4 + 1) * 8;
      var high = high1;
      for (var i = 0; i < 8; i++) { high = max(high, shared8[row + i]); }
      let before = exp2(high1 - high);
      let weight = select(vec4<f32>(0.0), exp2(s1 - vec4<f32>(high)), s1 > vec4<f32>(NOTHING));
      high1 = high;
      sum1 = sum1 * before + dot(weight, vec4<f32>(1.0));
      weights[row + x] = weight;
      o1_0 *= before;
    }
    {
      let row = (y * 4 + 2) * 8;
      var high = high2;
      for (var i = 0; i < 8; i++) { high = max(high, shared8[row + i]); }
      let before = exp2(high2 - high);
      let weight = select(vec4<f32>(0.0), exp2(s2 - vec4<f32>(high)), s2 > vec4<f32>(NOTHING));
      high2 = high;
      sum2 = sum2 * before + dot(weight, vec4<f32>(1.0));
      weights[row + x] = weight;
      o2_0 *= before;
    }
    {
      let row = (y * 4 + 3) * 8;
      var high = high3;
      for (var i = 0; i < 8; i++) { high = max(high, shared8[row + i]); }
      let before = exp2(high3 - high);
      let weight = select(vec4<f32>(0.0), exp2(s3 - vec4<f32>(high)), s3 > vec4<f32>(NOTHING));
      high3 = high;
      sum3 = sum3 * before + dot(weight, vec4<f32>(1.0));
      weights[row + x] = weight;
      o3_0 *= before;
    }
    workgroupBarrier();
    if (working) {
      for (var i = 0; i < 8; i++) {
        let w0 = weights[(y * 4 + 0) * 8 + i];
        let w1 = weights[(y * 4 + 1) * 8 + i];
        let w2 = weights[(y * 4 + 2) * 8 + i];
        let w3 = weights[(y * 4 + 3) * 8 + i];
        {
          let row = (i + 0) * 9;
          let v0 = tile[row + c0];
          o0_0 = fma(vec4<f32>(w0[0]), v0, o0_0);
          o1_0 = fma(vec4<f32>(w1[0]), v0, o1_0);
          o2_0 = fma(vec4<f32>(w2[0]), v0, o2_0);
          o3_0 = fma(vec4<f32>(w3[0]), v0, o3_0);
        }
        {
          let row = (i + 8) * 9;
          let v0 = tile[row + c0];
          o0_0 = fma(vec4<f32>(w0[1]), v0, o0_0);
          o1_0 = fma(vec4<f32>(w1[1]), v0, o1_0);
          o2_0 = fma(vec4<f32>(w2[1]), v0, o2_0);
          o3_0 = fma(vec4<f32>(w3[1]), v0, o3_0);
        }
        {
          let row = (i + 16) * 9;
          let v0 = tile[row + c0];
          o0_0 = fma(vec4<f32>(w0[2]), v0, o0_0);
          o1_0 = fma(vec4<f32>(w1[2]), v0, o1_0);
          o2_0 = fma(vec4<f32>(w2[2]), v0, o2_0);
          o3_0 = fma(vec4<f32>(w3[2]), v0, o3_0);
        }
        {
          let row = (i + 24) * 9;
          let v0 = tile[row + c0];
          o0_0 = fma(vec4<f32>(w0[3]), v0, o0_0);
          o1_0 = fma(vec4<f32>(w1[3]), v0, o1_0);
          o2_0 = fma(vec4<f32>(w2[3]), v0, o2_0);
          o3_0 = fma(vec4<f32>(w3[3]), v0, o3_0);
        }
      }
    }
    workgroupBarrier();
  }
  shared8[(y * 4 + 0) * 8 + x] = sum0;
  shared8[(y * 4 + 1) * 8 + x] = sum1;
  shared8[(y * 4 + 2) * 8 + x] = sum2;
  shared8[(y * 4 + 3) * 8 + x] = sum3;
  workgroupBarrier();
  {
    let query = first + y * 4 + 0;
    var total = 0.0;
    for (var i = 0; i < 8; i++) { total += shared8[(y * 4 + 0) * 8 + i]; }
    if (query < uniforms.queries && split < uniforms.splits) {
      let at = ((sample * uniforms.queries + query) * uniforms.heads + head) * 8;
      let factor = select(0.0, 1.0 / total, total > 0.0);
      if (x + 0 < 8) { result[at + c0] = o0_0 * factor; }
    }
  }
  {
    let query = first + y * 4 + 1;
    var total = 0.0;
    for (var i = 0; i < 8; i++) { total += shared8[(y * 4 + 1) * 8 + i]; }
    if (query < uniforms.queries && split < uniforms.splits) {
      let at = ((sample * uniforms.queries + query) * uniforms.heads + head) * 8;
      let factor = select(0.0, 1.0 / total, total > 0.0);
      if (x + 0 < 8) { result[at + c0] = o1_0 * factor; }
    }
  }
  {
    let query = first + y * 4 + 2;
    var total = 0.0;
    for (var i = 0; i < 8; i++) { total += shared8[(y * 4 + 2) * 8 + i]; }
    if (query < uniforms.queries && split < uniforms.splits) {
      let at = ((sample * uniforms.queries + query) * uniforms.heads + head) * 8;
      let factor = select(0.0, 1.0 / total, total > 0.0);
      if (x + 0 < 8) { result[at + c0] = o2_0 * factor; }
    }
  }
  {
    let query = first + y * 4 + 3;
    var total = 0.0;
    for (var i = 0; i < 8; i++) { total += shared8[(y * 4 + 3) * 8 + i]; }
    if (query < uniforms.queries && split < uniforms.splits) {
      let at = ((sample * uniforms.queries + query) * uniforms.heads + head) * 8;
      let factor = select(0.0, 1.0 / total, total > 0.0);
      if (x + 0 < 8) { result[at + c0] = o3_0 * factor; }
    }
  }
}
