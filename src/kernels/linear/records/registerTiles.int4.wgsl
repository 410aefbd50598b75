fn inputQuads() -> i32 { return (uniforms.inputs + 3) / 4; }
fn outputQuads() -> i32 { return (uniforms.outputs + 3) / 4; }
fn xAt(row : i32, c : i32) -> vec4<f32> { return x[row * (uniforms.inputs / 4) + c]; }
fn weightScaleAt(g : i32, q : i32) -> vec4<f32> { return weightScales[(g * uniforms.outputs) / 4 + q]; }
fn weightAt(row : i32, q : i32) -> vec4<f32> {
  let word = weightWords[row * ((uniforms.outputs + 7) / 8) + q / 2] >> u32(16 * (q & 1));
  return vec4<f32>((vec4<i32>(word) << vec4<u32>(28u, 24u, 20u, 16u)) >> vec4<u32>(28u)); }
fn gelu(x : vec4<f32>) -> vec4<f32> {
  let s = min(x * x, vec4<f32>(31.36));
  var p = vec4<f32>(3.6112947515489864e-9);
  p = fma(p, s, vec4<f32>(-2.6689559925690823e-7));
  p = fma(p, s, vec4<f32>(0.000007938264148405834));
  p = fma(p, s, vec4<f32>(-0.00011048064857055146));
  p = fma(p, s, vec4<f32>(-0.00006625888494870697));
  p = fma(p, s, vec4<f32>(0.07266856559769377));
  p = fma(p, s, vec4<f32>(1.5957684326411814));
  return x / (1.0 + exp(-x * p));
}
fn finish(row : i32, q : i32, sum : vec4<f32>) {
  var y = sum;
  y += bias[(0) / 4 + q];
  y = gelu(y);
  let at = row * uniforms.outputs;
  result[at / 4 + q] = y;
}
fn main(index : i32) {
  let q = index % outputQuads();
  let first = index / outputQuads() * 4;
  if (first >= uniforms.rows) { return; }
  let row0 = min(first + 0, uniforms.rows - 1);
  let row1 = min(first + 1, uniforms.rows - 1);
  let row2 = min(first + 2, uniforms.rows - 1);
  let row3 = min(first + 3, uniforms.rows - 1);
  var sum0 = vec4<f32>(0.0);
  var sum1 = vec4<f32>(0.0);
  var sum2 = vec4<f32>(0.0);
  var sum3 = vec4<f32>(0.0);
  let quadsPerGroup = uniforms.group / 4;
  for (var g = 0; g * quadsPerGroup < inputQuads(); g++) {
    let scale = weightScaleAt(g, q);
    let end = min((g + 1) * quadsPerGroup, inputQuads());
    for (var c = g * quadsPerGroup; c < end; c++) {
      let w0 = weightAt(4 * c + 0, q) * scale;
      let w1 = weightAt(4 * c + 1, q) * scale;
      let w2 = weightAt(4 * c + 2, q) * scale;
      let w3 = weightAt(4 * c + 3, q) * scale;
      {
        let v = xAt(row0, c);
        sum0 = fma(vec4<f32>(v.x), w0, sum0);
        sum0 = fma(vec4<f32>(v.y), w1, sum0);
        sum0 = fma(vec4<f32>(v.z), w2, sum0);
        sum0 = fma(vec4<f32>(v.w), w3, sum0);
      }
      {
        let v = xAt(row1, c);
        sum1 = fma(vec4<f32>(v.x), w0, sum1);
        sum1 = fma(vec4<f32>(v.y), w1, sum1);
        sum1 = fma(vec4<f32>(v.z), w2, sum1);
        sum1 = fma(vec4<f32>(v.w), w3, sum1);
      }
      {
        let v = xAt(row2, c);
        sum2 = fma(vec4<f32>(v.x), w0, sum2);
        sum2 = fma(vec4<f32>(v.y), w1, sum2);
        sum2 = fma(vec4<f32>(v.z), w2, sum2);
        sum2 = fma(vec4<f32>(v.w), w3, sum2);
      }
      {
        let v = xAt(row3, c);
        sum3 = fma(vec4<f32>(v.x), w0, sum3);
        sum3 = fma(vec4<f32>(v.y), w1, sum3);
        sum3 = fma(vec4<f32>(v.z), w2, sum3);
        sum3 = fma(vec4<f32>(v.w), w3, sum3);
      }
    }
  }
  if (first + 0 < uniforms.rows) { finish(first + 0, q, sum0); }
  if (first + 1 < uniforms.rows) { finish(first + 1, q, sum1); }
  if (first + 2 < uniforms.rows) { finish(first + 2, q, sum2); }
  if (first + 3 < uniforms.rows) { finish(first + 3, q, sum3); }
}
