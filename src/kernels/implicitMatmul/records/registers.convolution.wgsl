fn weightAt(row : i32, o : i32) -> vec4<f32> { return weight[(row * uniforms.outputs) / 4 + o]; }
fn biasAt(o : i32) -> vec4<f32> { return bias[(0) / 4 + o]; }
fn residualAt(at : i32, o : i32) -> vec4<f32> { return residual[(at) / 4 + o]; }
fn finish(at : i32, o : i32, sum : vec4<f32>) {
  var y = sum;
  y += biasAt(o);
  y += residualAt(at, o);
  result[at / 4 + o] = y;
}
fn main(index : i32) {
  if (index >= uniforms.threads) { return; }
  let quads = (uniforms.outputs + 3) / 4;
  let o = index % quads;                         // which four output channels
  var rest = index / quads;
  let tile = rest % uniforms.tiles; rest = rest / uniforms.tiles;
  let phases = 1;
  let phase = rest % phases; rest = rest / phases;
  let h = rest % uniforms.mH; rest = rest / uniforms.mH;
  let t = rest % uniforms.mT;
  let b = rest / uniforms.mT;
  let first = phase + tile * 4 * phases;   // the first column; the others follow one apart
  var a0 = vec4<f32>(0.0);
  var a1 = vec4<f32>(0.0);
  var a2 = vec4<f32>(0.0);
  var a3 = vec4<f32>(0.0);
  for (var jT = 0; jT < uniforms.kT; jT++) {
    let iT = clamp(t * uniforms.sT + jT - uniforms.fT, 0, uniforms.nT - 1);
    for (var jH = 0; jH < uniforms.kH; jH++) {
      let iH = clamp(h * uniforms.sH + jH - uniforms.fH, 0, uniforms.nH - 1);
      let line = ((b * uniforms.nT + iT) * uniforms.nH + iH) * uniforms.nW;
      for (var jW = 0; jW < uniforms.kW; jW++) {               // all rows of a thread share their taps
        let x0 = (line + clamp((first + 0 * phases) * uniforms.sW + jW - uniforms.fW, 0, uniforms.nW - 1)) * uniforms.inputs;
        let x1 = (line + clamp((first + 1 * phases) * uniforms.sW + jW - uniforms.fW, 0, uniforms.nW - 1)) * uniforms.inputs;
        let x2 = (line + clamp((first + 2 * phases) * uniforms.sW + jW - uniforms.fW, 0, uniforms.nW - 1)) * uniforms.inputs;
        let x3 = (line + clamp((first + 3 * phases) * uniforms.sW + jW - uniforms.fW, 0, uniforms.nW - 1)) * uniforms.inputs;
        let w = ((jT * uniforms.kH + jH) * uniforms.kW + jW) * uniforms.inputs;
        for (var c = 0; c < uniforms.inputs; c += 4) {
          let w0 = weightAt(w + c + 0, o);
          let w1 = weightAt(w + c + 1, o);
          let w2 = weightAt(w + c + 2, o);
          let w3 = weightAt(w + c + 3, o);
          {
            let v = x[(x0 + c) / 4];
            a0 = fma(vec4<f32>(v.x), w0, a0);
            a0 = fma(vec4<f32>(v.y), w1, a0);
            a0 = fma(vec4<f32>(v.z), w2, a0);
            a0 = fma(vec4<f32>(v.w), w3, a0);
          }
          {
            let v = x[(x1 + c) / 4];
            a1 = fma(vec4<f32>(v.x), w0, a1);
            a1 = fma(vec4<f32>(v.y), w1, a1);
            a1 = fma(vec4<f32>(v.z), w2, a1);
            a1 = fma(vec4<f32>(v.w), w3, a1);
          }
          {
            let v = x[(x2 + c) / 4];
            a2 = fma(vec4<f32>(v.x), w0, a2);
            a2 = fma(vec4<f32>(v.y), w1, a2);
            a2 = fma(vec4<f32>(v.z), w2, a2);
            a2 = fma(vec4<f32>(v.w), w3, a2);
          }
          {
            let v = x[(x3 + c) / 4];
            a3 = fma(vec4<f32>(v.x), w0, a3);
            a3 = fma(vec4<f32>(v.y), w1, a3);
            a3 = fma(vec4<f32>(v.z), w2, a3);
            a3 = fma(vec4<f32>(v.w), w3, a3);
          }
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
