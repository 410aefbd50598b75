/** SiLU, x sigmoid(x). Two stock ops that are quick on every backend. */
export { siluReference as silu } from './reference';
