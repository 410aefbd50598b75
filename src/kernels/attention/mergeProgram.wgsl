fn main(index : i32) {
  if (index >= uniforms.rows * uniforms.fours) { return; }
  let stride = uniforms.fours + 1;
  let row = index / uniforms.fours * stride;
  let step = uniforms.rows * stride;               // from one split to the next
  var high = -1e30;
  for (var i = 0; i < uniforms.splits; i++) { high = max(high, part[i * step + row + uniforms.fours].x); }
  var sum = vec4<f32>(0.0);
  var total = 0.0;
  for (var i = 0; i < uniforms.splits; i++) {
    let found = part[i * step + row + uniforms.fours];
    let factor = exp2(found.x - high);
    sum += part[i * step + row + index % uniforms.fours] * factor;
    total += found.y * factor;
  }
  result[index] = sum * select(0.0, 1.0 / total, total > 0.0);
}
