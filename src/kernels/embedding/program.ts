/**
 * Sums of embeddings in WGSL: each term gives row i of the result a row of a table by index, or the same vector
 * everywhere. Packed tables are dequantized on the way. A thread makes four neighbouring elements.
 */
import type { WebGPUProgram } from '@tensorflow/tfjs-backend-webgpu';
import { type MatrixStorage, matrixBindings, matrixFunctions, quadAt } from '../matrix/wgsl';

const WORKGROUP = 64;

/** How a table is stored, or that there is none but a vector [C]. */
export type EmbeddingTerm = MatrixStorage | 'vector';

export class EmbeddingProgram implements WebGPUProgram {
  /** For term k: a vector's `table<k>`, or the bindings of the matrix `table<k>` [R, C] and `rows<k>` [n], int32. */
  readonly variableNames: string[];
  readonly variableComponents: number[];
  readonly outputComponent: number;
  /** columns: C; threads: n·ceil(C/4); group<k>: rows of table k that share a scale. */
  readonly uniforms: string;
  readonly workgroupSize: [number, number, number] = [WORKGROUP, 1, 1];
  readonly dispatchLayout = { x: [0] };
  readonly dispatch: [number, number, number];
  readonly shaderKey: string;
  private readonly byFour: boolean;

  /** `outputShape` is [n, C]. */
  constructor(
    private readonly terms: readonly EmbeddingTerm[],
    readonly outputShape: [number, number],
  ) {
    const [rows, width] = outputShape;
    this.byFour = width % 4 === 0;
    this.outputComponent = this.byFour ? 4 : 1;
    const bindings = terms.flatMap((term, k): [name: string, components: number][] =>
      term === 'vector'
        ? [[`table${k}`, this.outputComponent]]
        : [...matrixBindings(this.table(term, k)), [`rows${k}`, 1]],
    );
    this.variableNames = bindings.map(([name]) => name);
    this.variableComponents = bindings.map(([, components]) => components);
    this.uniforms = `columns : i32, threads : i32, ${terms.map((_, k) => `group${k} : i32,`).join(' ')}`;
    this.dispatch = [Math.ceil((rows * Math.ceil(width / 4)) / WORKGROUP), 1, 1];
    this.shaderKey = `mebtEmbedding_${this.byFour}_${terms.join('_')}`;
  }

  getUserCode(): string {
    const { terms, byFour } = this;
    const tables = terms.map((term, k) => (term === 'vector' ? '' : matrixFunctions(this.table(term, k))));
    return `
    ${tables.join('\n')}
    fn main(index : i32) {
      if (index >= uniforms.threads) { return; }
      let quads = (uniforms.columns + 3) / 4;
      let row = index / quads;
      let q = index % quads;
      var sum = vec4<f32>(0.0);
      ${terms.map(addTerm(byFour)).join('\n')}
      ${
        byFour
          ? 'result[index] = sum;'
          : 'for (var k = 0; k < 4 && q * 4 + k < uniforms.columns; k++) { result[row * uniforms.columns + q * 4 + k] = sum[k]; }'
      }
    }`;
  }

  private table(storage: MatrixStorage, k: number) {
    return { name: `table${k}`, storage, columns: 'uniforms.columns', columnsByFour: this.byFour };
  }
}

function addTerm(byFour: boolean): (term: EmbeddingTerm, k: number) => string {
  return (term, k) => {
    switch (term) {
      case 'vector':
        return `sum += ${quadAt(`table${k}`, '0', 'uniforms.columns', byFour)};`;
      case 'float32':
        return `sum += table${k}At(rows${k}[row], q);`;
      default:
        return `sum += table${k}At(rows${k}[row], q) * table${k}ScaleAt(rows${k}[row] / uniforms.group${k}, q);`;
    }
  };
}
