fn table0ScaleAt(g : i32, q : i32) -> vec4<f32> { return table0Scales[(g * uniforms.columns) / 4 + q]; }
fn table0At(row : i32, q : i32) -> vec4<f32> {
  let word = table0Words[row * ((uniforms.columns + 3) / 4) + q];
  return vec4<f32>((vec4<i32>(word) << vec4<u32>(24u, 16u, 8u, 0u)) >> vec4<u32>(24u)); }
fn table1At(row : i32, q : i32) -> vec4<f32> { return table1[(row * uniforms.columns) / 4 + q]; }
fn main(index : i32) {
  if (index >= uniforms.threads) { return; }
  let quads = (uniforms.columns + 3) / 4;
  let row = index / quads;
  let q = index % quads;
  var sum = vec4<f32>(0.0);
  sum += table0At(rows0[row], q) * table0ScaleAt(rows0[row] / uniforms.group0, q);
  sum += table1At(rows1[row], q);
  result[index] = sum;
}
