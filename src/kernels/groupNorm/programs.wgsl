fn main(index : i32) {
  if (index >= uniforms.threads) { return; }
  let c = index % uniforms.channels;
  let rest = index / uniforms.channels;
  let stretch = rest % uniforms.stretches;
  let sample = rest / uniforms.stretches;
  let first = stretch * 64;
  let count = min(64, uniforms.positions - first);
  let start = (sample * uniforms.positions + first) * uniforms.channels + c;
  let about = x[start];                            // a value near all others
  var sum = 0.0;
  var squares = 0.0;
  for (var i = 1; i < count; i++) {
    let d = x[start + i * uniforms.channels] - about;
    sum += d;
    squares += d * d;
  }
  let mean = sum / f32(count);
  result[index] = vec2<f32>(about + mean, max(0.0, squares - sum * mean));
}

var<workgroup> partial : array<f32, 64>;
fn total(lane : i32, value : f32) -> f32 {
  workgroupBarrier();                              // the sum before may still be being read
  partial[lane] = value;
  workgroupBarrier();
  for (var half = 32; half > 0; half = half / 2) {
    if (lane < half) { partial[lane] += partial[lane + half]; }
    workgroupBarrier();
  }
  return partial[0];
}
fn main(index : i32) {
  // A dispatch over 65,535 workgroups is reshaped, and may then have some to spare.
  let row = min(index / 64, uniforms.rows - 1);
  let lane = index % 64;
  let groups = uniforms.channels / uniforms.size;
  let start = row / groups * uniforms.stretches * uniforms.channels + row % groups * uniforms.size;
  let elements = f32(uniforms.positions * uniforms.size);
  var sum = 0.0;
  for (var i = lane; i < uniforms.stretches * uniforms.size; i += 64) {
    let stretch = i / uniforms.size;
    let found = part[start + stretch * uniforms.channels + i % uniforms.size];
    let count = f32(select(64, uniforms.last, stretch == uniforms.stretches - 1));
    sum += found.x * count;
  }
  let mean = total(lane, sum) / elements;
  var squares = 0.0;
  for (var i = lane; i < uniforms.stretches * uniforms.size; i += 64) {
    let stretch = i / uniforms.size;
    let found = part[start + stretch * uniforms.channels + i % uniforms.size];
    let count = f32(select(64, uniforms.last, stretch == uniforms.stretches - 1));
    let d = found.x - mean; squares += found.y + d * d * count;
  }
  let variance = total(lane, squares) / elements;
  if (lane == 0) { result[row] = vec2<f32>(mean, inverseSqrt(variance + uniforms.epsilon)); }
}

fn main(index : i32) {
  if (index >= uniforms.elements) { return; }
  let c = index % uniforms.channels;
  let sample = index / uniforms.channels / uniforms.positions;
  let moment = moments[sample * (uniforms.channels / uniforms.size) + c / uniforms.size];
  var y = (x[index] - moment.x) * moment.y * scale[c] + bias[c];
  y = y / (1.0 + exp(-y));
  result[index] = y;
}
