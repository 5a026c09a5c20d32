import { expect, test } from 'vitest';
import { roundedRecall } from '../../src/retrieval/rounded-recall.js';

const dimension = 2;
const at = (...degrees: number[]) => ({
  dimension,
  data: Float32Array.from(
    degrees.flatMap((angle) => [Math.cos((angle * Math.PI) / 180), Math.sin((angle * Math.PI) / 180)]),
  ),
});
const recall = (exact: number[], rounded: number[], count: number) =>
  roundedRecall(
    { queries: at(exact[0]), rows: [0], exact: [at(...exact)], rounded: [at(...rounded)], total: exact.length },
    count,
  );

test('the share of the nearest others that is found', async () => {
  expect(await recall([0, 10, 20, 30, 40], [0, 11, 19, 31, 40], 2)).toBe(1);
  expect(await recall([0, 10, 20, 30, 40], [0, 11, 32, 29, 40], 2)).toBe(0.5);
  expect(await recall([0, 10, 20, 30, 40], [0, 50, 52, 29, 40], 2)).toBe(0);
});

test('of equally near ones any will do, and of few all are asked for', async () => {
  expect(await recall([0, 10, 20, -20, 40], [0, 10, 21, 19, 40], 2)).toBe(1);
  expect(await recall([0, 10, 20], [0, 20, 10], 10)).toBe(1);
  expect(await recall([0], [0], 10)).toBe(1);
});
