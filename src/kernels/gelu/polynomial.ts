/**
 * The normal distribution's Φ(x) as sigmoid(x p(x²)): p is the polynomial of degree 6 that was fitted to
 * ln(Φ/(1 - Φ))/x on |x| ≤ 5.6 for the smallest largest error of x Φ(x), which is 7e-8. Beyond, x² is clamped and the
 * error stays under 6e-8.
 */

/** Of x²: the square of the fit's limit. */
export const CLAMP = 31.36;

/** p's coefficients, constant first. */
export const COEFFICIENTS = [
  1.5957684326411814, 0.07266856559769377, -6.625888494870697e-5, -1.1048064857055146e-4,
  7.938264148405834e-6, -2.6689559925690823e-7, 3.6112947515489864e-9,
] as const;
