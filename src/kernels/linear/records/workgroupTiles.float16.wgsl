// float16
var<workgroup> tileX : array<vec4<f16>, 64>;        // [row, quad of inputs]
var<workgroup> tileW : array<vec4<f16>, 256>;      // [input, quad of outputs]
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
      tileX[i] = vec4<f16>(value);
    }
    {
      let i = lane + 0;
      var value = vec4<f32>(0.0);
      let input = i / 16;
      let column = i % 16;
      let row = min(start * 4 + input, uniforms.inputs - 1);
      let q = min(firstQuad + column, outputQuads() - 1);
      value = weightAt(row, q) / 128.0;
      tileW[i] = vec4<f16>(value);
    }
    {
      let i = lane + 128;
      var value = vec4<f32>(0.0);
      let input = i / 16;
      let column = i % 16;
      let row = min(start * 4 + input, uniforms.inputs - 1);
      let q = min(firstQuad + column, outputQuads() - 1);
      value = weightAt(row, q) / 128.0;
      tileW[i] = vec4<f16>(value);
    }
    workgroupBarrier();
    for (var first = 0; first < 4; first += 2) {
      var block0 = vec4<f16>(0.0);
      var block1 = vec4<f16>(0.0);
      for (var c = first; c < first + 2; c++) {
        let w0 = tileW[(4 * c + 0) * 16 + across];
        let w1 = tileW[(4 * c + 1) * 16 + across];
        let w2 = tileW[(4 * c + 2) * 16 + across];
        let w3 = tileW[(4 * c + 3) * 16 + across];
        {
          let v = tileX[(down + 0) * 4 + c];
          block0 = fma(vec4<f16>(v.x), w0, block0);
          block0 = fma(vec4<f16>(v.y), w1, block0);
          block0 = fma(vec4<f16>(v.z), w2, block0);
          block0 = fma(vec4<f16>(v.w), w3, block0);
        }
        {
          let v = tileX[(down + 8) * 4 + c];
          block1 = fma(vec4<f16>(v.x), w0, block1);
          block1 = fma(vec4<f16>(v.y), w1, block1);
          block1 = fma(vec4<f16>(v.z), w2, block1);
          block1 = fma(vec4<f16>(v.w), w3, block1);
        }
      }
      sum0 += vec4<f32>(block0);
      sum1 += vec4<f32>(block1);
    }
    workgroupBarrier();
  }
  let q = firstQuad + across;
  if (q >= outputQuads()) { return; }
  {
    let row = firstRow + down + 0;
    if (row < uniforms.rows) { finish(row, q, sum0 * 128.0); }
  }
  {
    let row = firstRow + down + 8;
    if (row < uniforms.rows) { finish(row, q, sum1 * 128.0); }
  }
}
