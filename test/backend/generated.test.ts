/**
 * Generated calls of every registered kernel against tfjs's JavaScript backend: all types, empty and not square shapes, NaN,
 * infinity, integers that float32 does not hold; inputs known, computed and channels first. RMAC_TEST_SEED and RMAC_TEST_CALLS
 * (calls of each kernel) look further than a usual run.
 */
import * as tf from '@tensorflow/tfjs';
import * as fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { startEngine } from '../../src/backend/index.js';
import { testDevice } from '../support/device.js';
import type { Call } from './generator/arbitraries.js';
import { actualOutcomes, difference, expectedOutcome } from './generator/compare.js';
import { differences } from './generator/differences.js';
import { table } from './generator/table.js';

const seed = Number(process.env.RMAC_TEST_SEED ?? 1);
const callsOfEach = Number(process.env.RMAC_TEST_CALLS ?? 125);

beforeAll(async () => {
  await startEngine({ device: testDevice, threads: 1 });
});

const tolerance = { relative: 1e-5, absolute: 2e-5 };

const fails = (kernel: string, call: Call): string | undefined => {
  const expected = expectedOutcome(kernel, call);
  if (differences[kernel]?.of(call, expected)) return undefined;
  return difference(expected, actualOutcomes(kernel, [call])[0], tolerance);
};

let compared = 0;

describe('generated calls', () => {
  test('the generator has every registered kernel, and no other', async () => {
    await tf.setBackend('onnx');
    const registered = tf.getKernelsForBackend('onnx').map(({ kernelName }) => kernelName);
    expect(Object.keys(table).toSorted()).toEqual(registered.toSorted());
  });

  test.each(Object.keys(table).toSorted())('%s', (kernel) => {
    const calls = fc
      .sample(table[kernel], { seed, numRuns: callsOfEach })
      .map((call) => ({ call, expected: expectedOutcome(kernel, call) }))
      .filter(({ call, expected }) => !differences[kernel]?.of(call, expected));
    const actual = actualOutcomes(
      kernel,
      calls.map(({ call }) => call),
    );
    compared += calls.length;
    const wrong = calls.filter(({ expected }, i) => difference(expected, actual[i], tolerance) !== undefined);
    if (wrong.length === 0) return;
    // One call at a time, down to the smallest that fails; the message has the seed.
    fc.assert(
      fc.property(table[kernel], (call) => {
        expect(fails(kernel, call)).toBeUndefined();
      }),
      { seed, numRuns: callsOfEach },
    );
    throw new Error(`${wrong.length} calls fail only beside others (RMAC_TEST_SEED=${seed}).`);
  });

  test.skipIf(process.env.RMAC_TEST_CALLS !== undefined)('20,000 calls were compared', () => {
    expect(compared).toBeGreaterThanOrEqual(20_000);
  });
});
