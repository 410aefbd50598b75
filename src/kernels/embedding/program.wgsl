fn main(index : i32) {
  if (index >= uniforms.elements) { return; }
  let row = index / uniforms.width;
  let c = index % uniforms.width;
  let token = tokens[codes[row] * uniforms.width + c];
  result[index] = token + table[positions[row] * uniforms.width + c];
}
