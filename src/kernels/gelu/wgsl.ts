/** Exact GELU as a WGSL function of four values, by the polynomial of polynomial.ts; the kernels that fuse it paste it in. */
import { CLAMP, COEFFICIENTS } from './polynomial';

export const GELU_WGSL = `
fn gelu(x : vec4<f32>) -> vec4<f32> {
  let s = min(x * x, vec4<f32>(${CLAMP}));
  var p = vec4<f32>(${COEFFICIENTS[6]});
  ${COEFFICIENTS.slice(0, 6)
    .reverse()
    .map((c) => `p = fma(p, s, vec4<f32>(${c}));`)
    .join('\n  ')}
  return x / (1.0 + exp(-x * p));
}`;
