/** WGSL for programs whose workgroup adds up what its threads have found: the norms. */

/** `total(lane, value)`: the sum of the values of all `threads` of a workgroup, a power of two of them, known to each. */
export function workgroupTotal(threads: number): string {
  return `
    var<workgroup> partial : array<f32, ${threads}>;
    fn total(lane : i32, value : f32) -> f32 {
      workgroupBarrier();                              // the sum before may still be being read
      partial[lane] = value;
      workgroupBarrier();
      for (var half = ${threads / 2}; half > 0; half = half / 2) {
        if (lane < half) { partial[lane] += partial[lane + half]; }
        workgroupBarrier();
      }
      return partial[0];
    }`;
}
