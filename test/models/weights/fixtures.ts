import { readFileSync } from 'node:fs';
import seedrandom from 'seedrandom';
import { expect } from 'vitest';
import { InputError } from '../../../src/errors.js';
import type { NamedArrays } from '../../../src/models/safetensors.js';

const folder = new URL('../../golden/weights/', import.meta.url);

/** A file that the format's own program wrote (scripts/weight-fixtures.py). */
export function fixture(name: string): Uint8Array {
  return readFileSync(new URL(name, folder));
}

type Values = Record<string, { shape: number[]; data: number[] }>;

/** The values that program reads from it. */
export function expectedOf(name: string): Values {
  return (JSON.parse(readFileSync(new URL('expected.json', folder), 'utf8')) as Record<string, Values>)[name];
}

/** What keras3.weights.h5 holds (scripts/keras3-fixture.py). */
export function keras3Values(): Values {
  return JSON.parse(readFileSync(new URL('keras3.json', folder), 'utf8')) as Values;
}

/** Every value equal to the last bit, every shape, every name in order. */
export function expectTensors(tensors: NamedArrays, expected: Values): void {
  expect([...tensors.keys()].toSorted()).toEqual(Object.keys(expected).toSorted());
  for (const [name, { shape, data }] of tensors) {
    expect({ name, shape, data: [...data] }).toEqual({ name, ...expected[name] });
  }
}

/**
 * Damages `good` in `runs` seeded ways (bytes replaced, runs of bytes replaced by lengths, cut short, parts copied over
 * others): each gives a result or an `InputError` of one line, without a hang: within
 * five seconds of processor time, whatever else the machine does.
 */
export function fuzz(good: Uint8Array, read: (bytes: Uint8Array) => unknown, runs = 10_000): void {
  const random = seedrandom('fuzz');
  const below = (n: number) => Math.floor(random() * n);
  const lengths = [0, 1, 0x7f, 0x80, 0xff, 0x7fff, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff];
  let survived = 0;
  for (let run = 0; run < runs; run++) {
    let bytes = Uint8Array.from(good);
    for (let edit = below(4); edit >= 0; edit--) {
      const at = below(bytes.length);
      const kind = below(8);
      if (kind === 0)
        new DataView(bytes.buffer).setUint32(Math.min(at, bytes.length - 4), lengths[below(lengths.length)], true);
      else if (kind === 1) bytes.copyWithin(at, below(bytes.length), below(bytes.length));
      else if (kind === 2) bytes[at] ^= 1 << below(8);
      else bytes[at] = below(256);
    }
    if (run % 10 === 0) bytes = bytes.slice(0, below(bytes.length));
    const started = process.cpuUsage();
    try {
      read(bytes);
      survived++;
    } catch (error) {
      if (!(error instanceof InputError)) throw new Error(`run ${run}: not an InputError`, { cause: error });
      if (/\n/.test(error.message)) throw new Error(`run ${run}: more than one line`, { cause: error });
    }
    const { user, system } = process.cpuUsage(started);
    if (user + system > 5e6) throw new Error(`run ${run} took more than five seconds`);
  }
  expect(survived).toBeLessThan(runs);
}

/** Every shorter file is refused with one line. */
export function expectEveryTruncationRefused(good: Uint8Array, read: (bytes: Uint8Array) => unknown, step = 1): void {
  for (let length = 0; length < good.length; length += step) {
    expect(() => read(good.slice(0, length)), `${length} bytes`).toThrow(InputError);
  }
}
