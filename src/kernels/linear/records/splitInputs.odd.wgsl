var<workgroup> shares : array<vec4<f32>, 128>;   // [row, share, quad of outputs]
fn inputQuads() -> i32 { return (uniforms.inputs + 3) / 4; }
fn outputQuads() -> i32 { return (uniforms.outputs + 3) / 4; }
fn xAt(row : i32, c : i32) -> vec4<f32> { return vec4<f32>(select(0.0, x[row * uniforms.inputs + c * 4 + 0], c * 4 + 0 < uniforms.inputs), select(0.0, x[row * uniforms.inputs + c * 4 + 1], c * 4 + 1 < uniforms.inputs), select(0.0, x[row * uniforms.inputs + c * 4 + 2], c * 4 + 2 < uniforms.inputs), select(0.0, x[row * uniforms.inputs + c * 4 + 3], c * 4 + 3 < uniforms.inputs)); }
fn weightAt(row : i32, q : i32) -> vec4<f32> { return vec4<f32>(weight[row * uniforms.outputs + min(q * 4 + 0, uniforms.outputs - 1)], weight[row * uniforms.outputs + min(q * 4 + 1, uniforms.outputs - 1)], weight[row * uniforms.outputs + min(q * 4 + 2, uniforms.outputs - 1)], weight[row * uniforms.outputs + min(q * 4 + 3, uniforms.outputs - 1)]); }
fn finish(row : i32, q : i32, sum : vec4<f32>) {
  var y = sum;
  let at = row * uniforms.outputs;
  for (var k = 0; k < 4 && q * 4 + k < uniforms.outputs; k++) { result[at + q * 4 + k] = y[k]; }
}
fn main(index : i32) {
  let lane = index % 128;
  let firstQuad = index / 128 * 8;
  let share = lane / 8;
  let q = min(firstQuad + lane % 8, outputQuads() - 1);
  let row0 = min(0, uniforms.rows - 1);
  var sum0 = vec4<f32>(0.0);
  for (var c = share; c < inputQuads(); c += 16) {
    let w0 = weightAt(min(4 * c + 0, uniforms.inputs - 1), q);
    let w1 = weightAt(min(4 * c + 1, uniforms.inputs - 1), q);
    let w2 = weightAt(min(4 * c + 2, uniforms.inputs - 1), q);
    let w3 = weightAt(min(4 * c + 3, uniforms.inputs - 1), q);
    {
      let v = xAt(row0, c);
      sum0 = fma(vec4<f32>(v.x), w0, sum0);
      sum0 = fma(vec4<f32>(v.y), w1, sum0);
      sum0 = fma(vec4<f32>(v.z), w2, sum0);
      sum0 = fma(vec4<f32>(v.w), w3, sum0);
    }
  }
  shares[0 + lane] = sum0;
  workgroupBarrier();
  // As many threads as there are quads to finish add up the shares of one each.
  let row = lane / 8;
  let mine = firstQuad + lane % 8;
  if (row >= min(1, uniforms.rows) || mine >= outputQuads()) { return; }
  var sum = vec4<f32>(0.0);
  for (var s = 0; s < 16; s++) { sum += shares[row * 128 + s * 8 + lane % 8]; }
  finish(row, mine, sum);
}
