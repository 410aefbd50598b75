var<workgroup> tileX : array<vec4<f32>, 64>;        // [row, quad of inputs]
var<workgroup> tileW : array<vec4<f32>, 256>;      // [input, quad of outputs]
fn inputQuads() -> i32 { return (uniforms.inputs + 3) / 4; }
fn outputQuads() -> i32 { return (uniforms.outputs + 3) / 4; }
fn xAt(row : i32, c : i32) -> vec4<f32> { return x[row * (uniforms.inputs / 4) + c]; }
fn weightScaleAt(g : i32, q : i32) -> vec4<f32> { return weightScales[(g * uniforms.outputs) / 4 + q]; }
fn weightAt(row : i32, q : i32) -> vec4<f32> {
  let word = weightWords[row * ((uniforms.outputs + 3) / 4) + q];
  return vec4<f32>((vec4<i32>(word) << vec4<u32>(24u, 16u, 8u, 0u)) >> vec4<u32>(24u)); }
fn finish(row : i32, q : i32, sum : vec4<f32>) {
  var y = sum * weightScaleAt(0, q);
  let at = row * uniforms.outputs;
  y += residual[(at) / 4 + q];
  result[at / 4 + q] = y;
}
fn main(index : i32) {
  let lane = index % 128;
  // From the flat index: a dispatch over 65,535 workgroups is reshaped, and may then have some to spare.
  let tile = index / 128;
  let tilesAcross = (outputQuads() + 15) / 16;
  let firstQuad = tile % tilesAcross * 16;
  let firstRow = tile / tilesAcross * 16;
  let across = lane % 16;
  let down = lane / 16;
  var sum0 = vec4<f32>(0.0);
  var sum1 = vec4<f32>(0.0);
  for (var start = 0; start < inputQuads(); start += 4) {
    if (lane < 64) {
      let i = lane + 0;
      var value = vec4<f32>(0.0);
      let row = i / 4;
      let depth = i % 4;
      let c = start + depth;
      if (c < inputQuads()) { value = xAt(min(firstRow + row, uniforms.rows - 1), c); }
      tileX[i] = value;
    }
    {
      let i = lane + 0;
      var value = vec4<f32>(0.0);
      let input = i / 16;
      let column = i % 16;
      let row = min(start * 4 + input, uniforms.inputs - 1);
      let q = min(firstQuad + column, outputQuads() - 1);
      value = weightAt(row, q);
      tileW[i] = value;
    }
    {
      let i = lane + 128;
      var value = vec4<f32>(0.0);
      let input = i / 16;
      let column = i % 16;
      let row = min(start * 4 + input, uniforms.inputs - 1);
      let q = min(firstQuad + column, outputQuads() - 1);
      value = weightAt(row, q);
      tileW[i] = value;
    }
    workgroupBarrier();
    for (var c = 0; c < 4; c++) {
      let w0 = tileW[(4 * c + 0) * 16 + across];
      let w1 = tileW[(4 * c + 1) * 16 + across];
      let w2 = tileW[(4 * c + 2) * 16 + across];
      let w3 = tileW[(4 * c + 3) * 16 + across];
      {
        let v = tileX[(down + 0) * 4 + c];
        sum0 = fma(vec4<f32>(v.x), w0, sum0);
        sum0 = fma(vec4<f32>(v.y), w1, sum0);
        sum0 = fma(vec4<f32>(v.z), w2, sum0);
        sum0 = fma(vec4<f32>(v.w), w3, sum0);
      }
      {
        let v = tileX[(down + 8) * 4 + c];
        sum1 = fma(vec4<f32>(v.x), w0, sum1);
        sum1 = fma(vec4<f32>(v.y), w1, sum1);
        sum1 = fma(vec4<f32>(v.z), w2, sum1);
        sum1 = fma(vec4<f32>(v.w), w3, sum1);
      }
    }
    workgroupBarrier();
  }
  let q = firstQuad + across;
  if (q >= outputQuads()) { return; }
  {
    let row = firstRow + down + 0;
    if (row < uniforms.rows) { finish(row, q, sum0); }
  }
  {
    let row = firstRow + down + 8;
    if (row < uniforms.rows) { finish(row, q, sum1); }
  }
}
