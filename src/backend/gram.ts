/**
 * @file Σ x xᵀ over rows in float64, which tensors have no type for: ONNX Runtime's double-precision Gemm on the CPU, whatever device
 * computes the rest. Only the blocks on and below the diagonal are computed.
 */
import { availableParallelism } from 'node:os';
import { encodeModel, type ProtoGraph, type ProtoNode, typeNumber } from './model-proto.js';
import { createSession, OrtTensor, type Session } from './ort.js';

/** Columns are cut into this many strips: 10 of 16 blocks are computed. */
const strips = 4;

/** Adds up products of rows [R, C], given in portions of any size. */
export class GramProducts {
  readonly columns: number;
  readonly #session: Session;
  readonly #bounds: number[];
  #sums: Record<string, OrtTensor> = {};

  constructor(columns: number, { threads = availableParallelism() }: { threads?: number } = {}) {
    this.columns = columns;
    this.#bounds = Array.from({ length: strips + 1 }, (_, i) => Math.floor((i * columns) / strips));
    this.#session = createSession(encodeModel(gramGraph(columns, this.#bounds)), { providers: ['cpu'], threads });
    for (const { row, column, name } of blocksOf(this.#bounds)) {
      const [height, width] = [row[1] - row[0], column[1] - column[0]];
      this.#sums[name] = new OrtTensor('float64', new Float64Array(height * width), [height, width]);
    }
  }

  /** Adds rows [R, C]; they are read before this returns. */
  add(rows: Float32Array): void {
    const count = rows.length / this.columns;
    if (!Number.isInteger(count)) throw new Error(`GramProducts: ${rows.length} values, rows of ${this.columns}.`);
    if (count === 0) return;
    const sums = Object.fromEntries(Object.entries(this.#sums).map(([name, sum]) => [`old ${name}`, sum]));
    const x = new OrtTensor('float32', rows, [count, this.columns]);
    this.#sums = this.#session.run({ x, ...sums }, Object.keys(this.#sums));
  }

  /** The sums [C, C]; only the lower triangle is meaningful. */
  lowerTriangle(): Float64Array {
    const { columns } = this;
    const out = new Float64Array(columns * columns);
    for (const { row, column, name } of blocksOf(this.#bounds)) {
      const values = this.#sums[name].data as Float64Array;
      const width = column[1] - column[0];
      for (let i = row[0]; i < row[1]; i++) {
        const from = (i - row[0]) * width;
        out.set(values.subarray(from, from + width), i * columns + column[0]);
      }
    }
    return out;
  }

  /** Frees the compiled graph and the sums. */
  dispose(): void {
    this.#session.dispose();
    this.#sums = {};
  }
}

interface GramBlock {
  name: string;
  /** Strips of its rows and its columns. */
  i: number;
  j: number;
  /** From and to. */
  row: readonly [number, number];
  column: readonly [number, number];
}

/** Blocks on and below the diagonal that are not empty. */
function blocksOf(bounds: readonly number[]): GramBlock[] {
  const used = Array.from({ length: strips }, (_, i) => i).filter((i) => bounds[i] < bounds[i + 1]);
  return used.flatMap((i) =>
    used
      .filter((j) => j <= i)
      .map((j) => ({
        name: `${i} ${j}`,
        i,
        j,
        row: [bounds[i], bounds[i + 1]] as const,
        column: [bounds[j], bounds[j + 1]] as const,
      })),
  );
}

function gramGraph(columns: number, bounds: readonly number[]): ProtoGraph {
  const blocks = blocksOf(bounds);
  const constant = (name: string, value: number) => ({
    name,
    constant: { constant: 'int64' as const, values: [value], dims: [1] },
  });
  const tensor = ({ row, column }: GramBlock, name: string) => ({
    name,
    type: 'float64' as const,
    dims: [row[1] - row[0], column[1] - column[0]],
  });
  const strip = (i: number): ProtoNode[] => [
    {
      type: 'Slice',
      inputs: ['x', `bound ${i}`, `bound ${i + 1}`, 'axis'],
      outputs: [`single ${i}`],
      attributes: {},
    },
    {
      type: 'Cast',
      inputs: [`single ${i}`],
      outputs: [`double ${i}`],
      attributes: { to: typeNumber('float64') },
    },
  ];
  const product = ({ name, i, j }: GramBlock): ProtoNode => ({
    type: 'Gemm',
    inputs: [`double ${i}`, `double ${j}`, `old ${name}`],
    outputs: [name],
    attributes: { transA: 1 },
  });
  return {
    nodes: [...new Set(blocks.map(({ i }) => i))].flatMap(strip).concat(blocks.map(product)),
    inputs: [
      { name: 'x', type: 'float32', dims: ['rows', columns] },
      ...blocks.map((block) => tensor(block, `old ${block.name}`)),
    ],
    outputs: blocks.map((block) => tensor(block, block.name)),
    constants: [constant('axis', 1), ...bounds.map((bound, i) => constant(`bound ${i}`, bound))],
  };
}
