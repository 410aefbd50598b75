fn weightAt(row : i32, o : i32) -> vec4<f32> { return vec4<f32>(weight[row * uniforms.outputs + min(o * 4 + 0, uniforms.outputs - 1)], weight[row * uniforms.outputs + min(o * 4 + 1, uniforms.outputs - 1)], weight[row * uniforms.outputs + min(o * 4 + 2, uniforms.outputs - 1)], weight[row * uniforms.outputs + min(o * 4 + 3, uniforms.outputs - 1)]); }
fn biasAt(o : i32) -> vec4<f32> { return vec4<f32>(bias[0 + min(o * 4 + 0, uniforms.outputs - 1)], bias[0 + min(o * 4 + 1, uniforms.outputs - 1)], bias[0 + min(o * 4 + 2, uniforms.outputs - 1)], bias[0 + min(o * 4 + 3, uniforms.outputs - 1)]); }
fn finish(at : i32, o : i32, sum : vec4<f32>) {
  var y = sum;
  y += biasAt(o);
  for (var i = 0; i < 4 && o * 4 + i < uniforms.outputs; i++) { result[at + o * 4 + i] = y[i]; }
}
fn main(index : i32) {
  if (index >= uniforms.threads) { return; }
  let quads = (uniforms.outputs + 3) / 4;
  let o = index % quads;                         // which four output channels
  var rest = index / quads;
  let tile = rest % uniforms.tiles; rest = rest / uniforms.tiles;
  let phases = uniforms.sW;
  let phase = rest % phases; rest = rest / phases;
  let h = rest % uniforms.mH; rest = rest / uniforms.mH;
  let t = rest % uniforms.mT;
  let b = rest / uniforms.mT;
  let first = phase + tile * 4 * phases;   // the first column; the others follow a stride apart
  var a0 = vec4<f32>(0.0);
  var a1 = vec4<f32>(0.0);
  var a2 = vec4<f32>(0.0);
  var a3 = vec4<f32>(0.0);
  for (var jT = (t + uniforms.kT - 1) % uniforms.sT; jT < uniforms.kT; jT += uniforms.sT) {
    let iT = clamp((t + uniforms.kT - 1 - jT) / uniforms.sT - uniforms.fT, 0, uniforms.nT - 1);
    for (var jH = (h + uniforms.kH - 1) % uniforms.sH; jH < uniforms.kH; jH += uniforms.sH) {
      let iH = clamp((h + uniforms.kH - 1 - jH) / uniforms.sH - uniforms.fH, 0, uniforms.nH - 1);
      let line = ((b * uniforms.nT + iT) * uniforms.nH + iH) * uniforms.nW;
      for (var jW = (first + uniforms.kW - 1) % uniforms.sW; jW < uniforms.kW; jW += uniforms.sW) {               // all rows of a thread share their taps
        let x0 = (line + clamp(((first + 0 * phases) + uniforms.kW - 1 - jW) / uniforms.sW - uniforms.fW, 0, uniforms.nW - 1)) * uniforms.inputs;
        let x1 = (line + clamp(((first + 1 * phases) + uniforms.kW - 1 - jW) / uniforms.sW - uniforms.fW, 0, uniforms.nW - 1)) * uniforms.inputs;
        let x2 = (line + clamp(((first + 2 * phases) + uniforms.kW - 1 - jW) / uniforms.sW - uniforms.fW, 0, uniforms.nW - 1)) * uniforms.inputs;
        let x3 = (line + clamp(((first + 3 * phases) + uniforms.kW - 1 - jW) / uniforms.sW - uniforms.fW, 0, uniforms.nW - 1)) * uniforms.inputs;
        let w = ((jT * uniforms.kH + jH) * uniforms.kW + jW) * uniforms.inputs;
        for (var c = 0; c < uniforms.inputs; c++) {
          let w0 = weightAt(w + c, o);
          a0 = fma(vec4<f32>(x[x0 + c]), w0, a0);
          a1 = fma(vec4<f32>(x[x1 + c]), w0, a1);
          a2 = fma(vec4<f32>(x[x2 + c]), w0, a2);
          a3 = fma(vec4<f32>(x[x3 + c]), w0, a3);
        }
      }
    }
  }
  let start = ((b * uniforms.mT + t) * uniforms.mH + h) * uniforms.mW;
  {
    let column = first + 0 * phases;
    if (column < uniforms.mW) { finish((start + column) * uniforms.outputs, o, a0); }
  }
  {
    let column = first + 1 * phases;
    if (column < uniforms.mW) { finish((start + column) * uniforms.outputs, o, a1); }
  }
  {
    let column = first + 2 * phases;
    if (column < uniforms.mW) { finish((start + column) * uniforms.outputs, o, a2); }
  }
  {
    let column = first + 3 * phases;
    if (column < uniforms.mW) { finish((start + column) * uniforms.outputs, o, a3); }
  }
}
