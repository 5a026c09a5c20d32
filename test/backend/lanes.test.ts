/** Runs of one graph at once, on threads of their own. */
import { totalmem } from 'node:os';
import * as tf from '@tensorflow/tfjs';
import { spawnSync } from 'node:child_process';
import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import { ExampleFunctions, startEngine } from '../../src/backend/index.js';
import { type LaneProgram, Lanes } from '../../src/backend/lanes.js';
import { known } from '../../src/backend/record.js';
import { relativeDistance } from '../support/close.js';
import { expectNoLeak } from '../support/leak.js';

const noise = (size: number, seed: number) => Float32Array.from({ length: size }, (_, i) => Math.sin(seed + 1.7 * i));

describe('Lanes', () => {
  const lanes = new Lanes({ providers: ['cpu'], threads: 3 });
  afterEach(() => lanes.dispose());

  /** s = x0 + p, of three numbers. */
  function addition(x: readonly number[], type = 'Add'): LaneProgram {
    const tensor = (name: string) => ({ name, type: 'float32', dims: [3] }) as const;
    return {
      key: `${type} of three`,
      leaves: [known(x, [3])],
      graph: () => ({
        nodes: [{ type, inputs: ['x0', 'p'], outputs: ['s'], attributes: {} }],
        inputs: [tensor('x0'), tensor('p')],
        outputs: [tensor('s')],
        constants: [],
      }),
    };
  }
  const part = (...numbers: number[]) => ({
    p: { type: 'float32' as const, dims: [3], data: Float32Array.from(numbers) },
  });
  const zeros = { p: { type: 'float32' as const, dims: [3] } };
  const sums = async (...run: Parameters<Lanes['run']>) => (await lanes.run(...run)).map(([sum]) => [...sum]);

  test('each part on a thread of its own, weights kept and replaced, zeros where nothing is given', async () => {
    const first = addition([1, 2, 3]);
    expect(await sums(first, [part(10, 20, 30), zeros], ['s'])).toEqual([
      [11, 22, 33],
      [1, 2, 3],
    ]);
    const second = addition([4, 5, 6]);
    expect(await sums(second, [part(1, 1, 1)], ['s'])).toEqual([[5, 6, 7]]);
    lanes.forget(first.leaves[0].memory!);
    expect(await sums(first, [part(0, 0, 1)], ['s'])).toEqual([[1, 2, 4]]);
    lanes.close(first.key);
    expect(await sums(second, [part(0, 0, 2)], ['s'])).toEqual([[4, 5, 8]]);
  });

  test('of a view of weights only what it views is handed over', async () => {
    const program = addition([0, 0, 0]);
    const [leaf] = program.leaves;
    leaf.memory = known(new Float32Array(3), [3]).memory;
    Object.assign(leaf.memory!, { data: Float32Array.from([9, 1, 2, 3, 9]).subarray(1, 4) });
    expect(await sums(program, [zeros], ['s'])).toEqual([[1, 2, 3]]);
  });

  test('asked several things at once, it answers each', async () => {
    const answers = await Promise.all([1, 2, 3].map((n) => sums(addition([n, n, n]), [zeros, part(n, 0, 0)], ['s'])));
    expect(answers).toEqual(
      [1, 2, 3].map((n) => [
        [n, n, n],
        [2 * n, n, n],
      ]),
    );
  });

  test('a graph that cannot be compiled, and a run that fails, are errors of that run', async () => {
    await expect(lanes.run(addition([1, 2, 3], 'NoSuchOperator'), [zeros], ['s'])).rejects.toThrow('NoSuchOperator');
    const short = { p: { type: 'float32' as const, dims: [2], data: new Float32Array(2) } };
    await expect(lanes.run(addition([1, 2, 3]), [short], ['s'])).rejects.toThrow(/p/);
    expect(await sums(addition([1, 2, 3]), [zeros], ['s'])).toEqual([[1, 2, 3]]);
  });

  test('an engine that is replaced ends what runs, and can be asked again', async () => {
    const running = lanes.run(addition([1, 2, 3]), [zeros], ['s']);
    lanes.dispose();
    await expect(running).rejects.toThrow('replaced');
    expect(await sums(addition([1, 2, 3]), [zeros], ['s'])).toEqual([[1, 2, 3]]);
  });

  test('as many as runs, threads, and half of the memory allow; one for little', () => {
    const count = (threads: number, runs: number, bytes: number, provider = 'cpu') =>
      new Lanes({ providers: [provider], threads }).countFor(runs, bytes);
    const megabytes = 2 ** 20;
    expect(count(2, 16, 10 * megabytes)).toBe(2);
    expect(count(16, 16, 10 * megabytes)).toBe(4);
    expect(count(16, 3, 10 * megabytes)).toBe(3);
    expect(count(6, 16, 10 * megabytes)).toBe(3);
    expect(count(5, 16, 10 * megabytes)).toBe(2);
    expect(count(1, 16, 10 * megabytes)).toBe(1);
    expect(count(16, 16, megabytes)).toBe(1);
    expect(count(16, 16, totalmem())).toBe(2);
    expect(count(16, 16, 3 * totalmem())).toBe(1);
    expect(count(16, 16, 10 * megabytes, 'webgpu')).toBe(1);
  });
});

describe('functions of one example on several lanes', () => {
  const shape = [1, 64, 64, 8];
  const size = 64 * 64 * 8;
  const filters = () => [
    tf.tensor4d(noise(9 * 8 * 64, 1), [3, 3, 8, 64]),
    tf.tensor4d(noise(9 * 64 * 8, 2), [3, 3, 64, 8]),
  ];
  const gradients = (weights: readonly tf.Tensor[]) => (x: tf.Tensor) => {
    const f = (a: tf.Tensor, b: tf.Tensor) =>
      tf.mean<tf.Scalar>(
        tf
          .conv2d(tf.relu(tf.conv2d(x as tf.Tensor4D, a as tf.Tensor4D, 1, 'same')), b as tf.Tensor4D, 1, 'same')
          .square(),
      );
    const { value, grads } = tf.valueAndGrads(f)([...weights], tf.scalar(1));
    return { sums: { a: grads[0], b: grads[1] }, rows: [value] };
  };

  beforeAll(() => startEngine({ threads: 3 }));

  test('sums and rows are those of one example after the other, and the same bits each time', async () => {
    const weights = filters();
    const values = noise(7 * size, 3);
    const functions = new ExampleFunctions(() => weights);
    const run = async (from: number, count: number, before?: ReadonlyMap<string, tf.Tensor>) => {
      const part = values.slice(from * size, (from + count) * size);
      const { sums, rows } = await functions.run('', count, [{ values: part, shape }], gradients(weights), before);
      return { sums: new Map(Object.entries(sums)), row: [...rows[0]] };
    };
    const whole = await run(0, 7);
    const again = await run(0, 7);
    const single = [];
    let sums: ReadonlyMap<string, tf.Tensor> | undefined;
    for (let i = 0; i < 7; i++) {
      const one = await run(i, 1, sums);
      tf.dispose([...(sums?.values() ?? [])]);
      sums = one.sums;
      single.push(...one.row);
    }
    expect(again.row).toEqual(whole.row);
    expect(relativeDistance(whole.row, single)).toBeLessThan(1e-6);
    for (const [name, sum] of whole.sums) {
      const numbers = sum.dataSync();
      expect(again.sums.get(name)!.dataSync()).toEqual(numbers);
      expect(relativeDistance(numbers, sums!.get(name)!.dataSync())).toBeLessThan(1e-6);
    }
    const added = await run(2, 5, (await run(0, 2)).sums);
    for (const [name, sum] of whole.sums) {
      expect(relativeDistance(added.sums.get(name)!.dataSync(), sum.dataSync())).toBeLessThan(1e-6);
    }
  });

  test('other weights are read in the next run; nothing is left behind', async () => {
    const values = noise(4 * size, 3);
    const sumOf = async (weights: readonly tf.Tensor[], functions: ExampleFunctions) => {
      const { sums } = await functions.run('', 4, [{ values, shape }], gradients(weights));
      const numbers = Float32Array.from(sums.b.dataSync());
      tf.dispose(sums);
      return numbers;
    };
    const variables = filters().map((filter) => tf.variable(filter));
    const functions = new ExampleFunctions(() => variables);
    await sumOf(variables, functions);
    await expectNoLeak(async () => {
      for (const scale of [0.5, 0.25]) {
        tf.tidy(() => variables.forEach((variable) => variable.assign(variable.mul(scale))));
        for (let run = 0; run < 4; run++) {
          const fresh = await sumOf(variables, new ExampleFunctions(() => variables));
          expect(relativeDistance(await sumOf(variables, functions), fresh)).toBeLessThan(1e-6);
        }
      }
    });
  });
});

test('a process whose engine has lanes ends by itself', () => {
  const engine = new URL('../../src/backend/index.ts', import.meta.url).href;
  const code = `
    const tf = await import('@tensorflow/tfjs');
    const { ExampleFunctions, startEngine } = await import('${engine}');
    await startEngine({ threads: 2 });
    const values = new Float32Array(4 * 2 ** 20).fill(1);
    const functions = new ExampleFunctions();
    const { rows } = await functions.run('', 4, [{ values, shape: [2 ** 20] }], (x) => ({ rows: [x.exp().sqrt().sum()] }));
    console.log(rows[0].length, Math.round(rows[0][3] / 2 ** 20 * 1000));
  `;
  const child = spawnSync(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', code], {
    encoding: 'utf8',
    timeout: 120_000,
  });
  expect(child.stdout.trim(), child.stderr).toBe('4 1649');
  expect(child.status).toBe(0);
});
