// float16
var<workgroup> tileX : array<vec4<f16>, 256>;        // [row, quad of inputs]
var<workgroup> tileW : array<vec4<f16>, 128>;      // [input, quad of outputs]
fn weightAt(row : i32, o : i32) -> vec4<f32> { return vec4<f32>(weight[row * uniforms.outputs + min(o * 4 + 0, uniforms.outputs - 1)], weight[row * uniforms.outputs + min(o * 4 + 1, uniforms.outputs - 1)], weight[row * uniforms.outputs + min(o * 4 + 2, uniforms.outputs - 1)], weight[row * uniforms.outputs + min(o * 4 + 3, uniforms.outputs - 1)]); }
fn biasAt(o : i32) -> vec4<f32> { return vec4<f32>(bias[0 + min(o * 4 + 0, uniforms.outputs - 1)], bias[0 + min(o * 4 + 1, uniforms.outputs - 1)], bias[0 + min(o * 4 + 2, uniforms.outputs - 1)], bias[0 + min(o * 4 + 3, uniforms.outputs - 1)]); }
fn finish(at : i32, o : i32, sum : vec4<f32>) {
  var y = sum;
  y += biasAt(o);
  for (var i = 0; i < 4 && o * 4 + i < uniforms.outputs; i++) { result[at + o * 4 + i] = y[i]; }
}
fn inputsAt(line : i32, c : i32) -> vec4<f32> { return vec4<f32>(select(0.0, x[line + min(c * 4 + 0, uniforms.inputs - 1)], c * 4 + 0 < uniforms.inputs), select(0.0, x[line + min(c * 4 + 1, uniforms.inputs - 1)], c * 4 + 1 < uniforms.inputs), select(0.0, x[line + min(c * 4 + 2, uniforms.inputs - 1)], c * 4 + 2 < uniforms.inputs), select(0.0, x[line + min(c * 4 + 3, uniforms.inputs - 1)], c * 4 + 3 < uniforms.inputs)); }
fn phaseExtent(phase : vec3<i32>) -> vec3<i32> { return vec3<i32>((uniforms.mT - phase[0] + uniforms.sT - 1) / uniforms.sT, (uniforms.mH - phase[1] + uniforms.sH - 1) / uniforms.sH, (uniforms.mW - phase[2] + uniforms.sW - 1) / uniforms.sW); }
// (sample, t, h, w) of a row of a phase
fn positionOf(row : i32, phase : vec3<i32>, extent : vec3<i32>) -> vec4<i32> {
  var rest = row;
  let w = rest % extent.z; rest = rest / extent.z;
  let h = rest % extent.y; rest = rest / extent.y;
  return vec4<i32>(rest / extent.x, phase + vec3<i32>(rest % extent.x, h, w) * vec3<i32>(uniforms.sT, uniforms.sH, uniforms.sW));
}
fn main(index : i32) {
  let lane = index % 128;
  let quads = (uniforms.outputs + 3) / 4;
  let tilesAcross = (quads + 7) / 8;
  var rest = index / 128;
  let firstQuad = rest % tilesAcross * 8; rest = rest / tilesAcross;
  let firstRow = rest % uniforms.tiles * 64; rest = rest / uniforms.tiles;
  let pW = rest % uniforms.sW; rest = rest / uniforms.sW;
  let pH = rest % uniforms.sH; rest = rest / uniforms.sH;
  let pT = rest % uniforms.sT; rest = rest / uniforms.sT;
  let phase = vec3<i32>(pT, pH, pW);
  let extent = phaseExtent(phase);
  // A reshaped dispatch may have workgroups to spare: theirs are no rows.
  let phaseRows = select(0, uniforms.samples * extent.x * extent.y * extent.z, rest == 0);
  let at0 = positionOf(min(firstRow + (lane + 0) / 4, max(phaseRows, 1) - 1), phase, extent);
  let at1 = positionOf(min(firstRow + (lane + 128) / 4, max(phaseRows, 1) - 1), phase, extent);
  let across = lane % 8;
  let down = lane / 8;
  var sum0 = vec4<f32>(0.0);
  var sum1 = vec4<f32>(0.0);
  var sum2 = vec4<f32>(0.0);
  var sum3 = vec4<f32>(0.0);
  for (var turnT = 0; turnT < (uniforms.kT + uniforms.sT - 1) / uniforms.sT; turnT++) {
    let jT = (pT + uniforms.kT - 1) % uniforms.sT + turnT * uniforms.sT;
    for (var turnH = 0; turnH < (uniforms.kH + uniforms.sH - 1) / uniforms.sH; turnH++) {
      let jH = (pH + uniforms.kH - 1) % uniforms.sH + turnH * uniforms.sH;
      for (var turnW = 0; turnW < (uniforms.kW + uniforms.sW - 1) / uniforms.sW; turnW++) {
        let jW = (pW + uniforms.kW - 1) % uniforms.sW + turnW * uniforms.sW;
        let inKernel = jT < uniforms.kT && jH < uniforms.kH && jW < uniforms.kW;
        let w = ((jT * uniforms.kH + jH) * uniforms.kW + jW) * uniforms.inputs;
        let line0 = (((at0.x * uniforms.nT + clamp((at0.y + uniforms.kT - 1 - jT) / uniforms.sT - uniforms.fT, 0, uniforms.nT - 1)) * uniforms.nH + clamp((at0.z + uniforms.kH - 1 - jH) / uniforms.sH - uniforms.fH, 0, uniforms.nH - 1)) * uniforms.nW + clamp((at0.w + uniforms.kW - 1 - jW) / uniforms.sW - uniforms.fW, 0, uniforms.nW - 1)) * uniforms.inputs;
        let line1 = (((at1.x * uniforms.nT + clamp((at1.y + uniforms.kT - 1 - jT) / uniforms.sT - uniforms.fT, 0, uniforms.nT - 1)) * uniforms.nH + clamp((at1.z + uniforms.kH - 1 - jH) / uniforms.sH - uniforms.fH, 0, uniforms.nH - 1)) * uniforms.nW + clamp((at1.w + uniforms.kW - 1 - jW) / uniforms.sW - uniforms.fW, 0, uniforms.nW - 1)) * uniforms.inputs;
        for (var start = 0; start * 4 < uniforms.inputs; start += 4) {
          {
            let i = lane + 0;
            var value = vec4<f32>(0.0);
            let row = i / 4;
            let depth = i % 4;
            if ((start + depth) * 4 < uniforms.inputs) { value = inputsAt(line0, start + depth); }
            tileX[i] = vec4<f16>(value);
          }
          {
            let i = lane + 128;
            var value = vec4<f32>(0.0);
            let row = i / 4;
            let depth = i % 4;
            if ((start + depth) * 4 < uniforms.inputs) { value = inputsAt(line1, start + depth); }
            tileX[i] = vec4<f16>(value);
          }
          {
            let i = lane + 0;
            var value = vec4<f32>(0.0);
            let input = i / 8;
            let column = i % 8;
            let channel = min(start * 4 + input, uniforms.inputs - 1);
            if (inKernel) { value = weightAt(w + channel, min(firstQuad + column, quads - 1)); }
            tileW[i] = vec4<f16>(value);
          }
          workgroupBarrier();
          for (var first = 0; first < 4; first += 2) {
            var block0 = vec4<f16>(0.0);
            var block1 = vec4<f16>(0.0);
            var block2 = vec4<f16>(0.0);
            var block3 = vec4<f16>(0.0);
            for (var c = first; c < first + 2; c++) {
              let w0 = tileW[(4 * c + 0) * 8 + across];
              let w1 = tileW[(4 * c + 1) * 8 + across];
              let w2 = tileW[(4 * c + 2) * 8 + across];
              let w3 = tileW[(4 * c + 3) * 8 + across];
              {
                let v = tileX[(down + 0) * 4 + c];
                block0 = fma(vec4<f16>(v.x), w0, block0);
                block0 = fma(vec4<f16>(v.y), w1, block0);
                block0 = fma(vec4<f16>(v.z), w2, block0);
                block0 = fma(vec4<f16>(v.w), w3, block0);
              }
              {
                let v = tileX[(down + 16) * 4 + c];
                block1 = fma(vec4<f16>(v.x), w0, block1);
                block1 = fma(vec4<f16>(v.y), w1, block1);
                block1 = fma(vec4<f16>(v.z), w2, block1);
                block1 = fma(vec4<f16>(v.w), w3, block1);
              }
              {
                let v = tileX[(down + 32) * 4 + c];
                block2 = fma(vec4<f16>(v.x), w0, block2);
                block2 = fma(vec4<f16>(v.y), w1, block2);
                block2 = fma(vec4<f16>(v.z), w2, block2);
                block2 = fma(vec4<f16>(v.w), w3, block2);
              }
              {
                let v = tileX[(down + 48) * 4 + c];
                block3 = fma(vec4<f16>(v.x), w0, block3);
                block3 = fma(vec4<f16>(v.y), w1, block3);
                block3 = fma(vec4<f16>(v.z), w2, block3);
                block3 = fma(vec4<f16>(v.w), w3, block3);
              }
            }
            sum0 += vec4<f32>(block0);
            sum1 += vec4<f32>(block1);
            sum2 += vec4<f32>(block2);
            sum3 += vec4<f32>(block3);
          }
          workgroupBarrier();
        }
      }}}
  let o = firstQuad + across;
  if (o >= quads) { return; }
  {
    let row = firstRow + down + 0;
    if (row < phaseRows) {
      let p = positionOf(row, phase, extent);
      finish((((p.x * uniforms.mT + p.y) * uniforms.mH + p.z) * uniforms.mW + p.w) * uniforms.outputs, o, sum0);
    }
  }
  {
    let row = firstRow + down + 16;
    if (row < phaseRows) {
      let p = positionOf(row, phase, extent);
      finish((((p.x * uniforms.mT + p.y) * uniforms.mH + p.z) * uniforms.mW + p.w) * uniforms.outputs, o, sum1);
    }
  }
  {
    let row = firstRow + down + 32;
    if (row < phaseRows) {
      let p = positionOf(row, phase, extent);
      finish((((p.x * uniforms.mT + p.y) * uniforms.mH + p.z) * uniforms.mW + p.w) * uniforms.outputs, o, sum2);
    }
  }
  {
    let row = firstRow + down + 48;
    if (row < phaseRows) {
      let p = positionOf(row, phase, extent);
      finish((((p.x * uniforms.mT + p.y) * uniforms.mH + p.z) * uniforms.mW + p.w) * uniforms.outputs, o, sum3);
    }
  }
}
