/**
 * @file Generated calls of each kernel on a device against tfjs's JavaScript backend, as test/backend/generated.test.ts makes them.
 * Arguments: device, calls of each kernel. `names 0` -> the kernels; `kernel I` -> how many calls of the I-th came out wrong, and one of them.
 * A process of its own: a driver that fails may end it.
 */
import * as fc from 'fast-check';
import { type Device, startEngine } from '../../src/backend/index.js';
import { actualOutcomes, difference, expectedOutcome } from '../../test/backend/generator/compare.js';
import { differences } from '../../test/backend/generator/differences.js';
import { table } from '../../test/backend/generator/table.js';
import { serve } from '../bench/process.js';

export interface KernelOutcome {
  kernel: string;
  calls: number;
  wrong: number;
  example?: string;
}

const [device = '', calls = ''] = process.argv.slice(2);
await startEngine({ device: device as Device });
const names = Object.keys(table).toSorted();
const tolerance = { relative: 1e-4, absolute: 2e-4 };

function outcomeOf(kernel: string): KernelOutcome {
  const made = fc
    .sample(table[kernel], { seed: 1, numRuns: Number(calls) })
    .map((call) => ({ call, expected: expectedOutcome(kernel, call) }))
    .filter(({ call, expected }) => !differences[kernel]?.of(call, expected));
  const actual = actualOutcomes(
    kernel,
    made.map(({ call }) => call),
  );
  const wrong = made.flatMap(({ call, expected }, i) => {
    const found = difference(expected, actual[i], tolerance);
    return found === undefined ? [] : [`${found} of ${fc.stringify(call)}`.slice(0, 600)];
  });
  return { kernel, calls: made.length, wrong: wrong.length, ...(wrong.length > 0 && { example: wrong[0] }) };
}

await serve({ names: () => names, kernel: (i) => outcomeOf(names[i]) });
