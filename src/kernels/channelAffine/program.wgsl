fn main(index : i32) {
  if (index >= uniforms.elements) { return; }
  var y = x[index];
  let c = index % uniforms.channels; y = y * scale[c] + bias[c];
  y = y / (1.0 + exp(-y));
  result[index] = y;
}
