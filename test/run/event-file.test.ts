import { appendFileSync, chmodSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { InputError } from '../../src/errors.js';
import { crc32c, maskedCrc32c } from '../../src/run/crc32c.js';
import { encodeEvent, type EventContent } from '../../src/run/event-bytes.js';
import { EventFile } from '../../src/run/event-file.js';
import { histogramOf } from '../../src/run/histogram.js';
import { hasTensorboard, readTensorboard } from '../support/tensorboard.js';

const golden = JSON.parse(readFileSync(new URL('../golden/events.json', import.meta.url), 'utf8')) as {
  histogram: { values: number[]; limits: number[]; counts: number[] };
  base64: string;
};

const newFolder = () => mkdtempSync(join(tmpdir(), 'rmac-events-'));
const values = Float32Array.from(golden.histogram.values);

test('crc32c: the examples of RFC 3720, B.4', () => {
  expect(crc32c(new Uint8Array(32))).toBe(0x8a9136aa);
  expect(crc32c(new Uint8Array(32).fill(0xff))).toBe(0x62a8ab43);
  expect(crc32c(Uint8Array.from({ length: 32 }, (_, i) => i))).toBe(0x46dd794e);
  expect(crc32c(Uint8Array.from({ length: 32 }, (_, i) => 31 - i))).toBe(0x113fdb5c);
  expect(crc32c(new TextEncoder().encode('123456789'))).toBe(0xe3069283); // the usual check value
  // 0x8a9136aa rotated right by 15 is 0x6d551522; + 0xa282ead8 = 0x10fd7fffa
  expect(maskedCrc32c(new Uint8Array(32))).toBe(0x0fd7fffa);
});

test('the bytes of events are those of TensorBoard itself', () => {
  const histogram = histogramOf(values, 4);
  expect([...histogram.limits]).toEqual(golden.histogram.limits);
  expect([...histogram.counts]).toEqual(golden.histogram.counts);
  const picture = { bytes: Uint8Array.from({ length: 200 }, (_, i) => i), width: 300, height: 3 };
  const events: [EventContent, number][] = [
    [{ kind: 'version' }, 0],
    [{ kind: 'start' }, 17],
    [{ kind: 'scalar', tag: 'train/loss', value: 0 }, 0],
    [{ kind: 'scalar', tag: 'grösse', value: -0.1 }, 3_000_000_000],
    [{ kind: 'histogram', tag: 'weights/a', histogram }, 17],
    [{ kind: 'image', tag: 'mining/hardest', picture }, 17],
  ];
  const seconds = (i: number) => (i < 2 ? 1_700_000_000.25 : 1_700_000_001.5);
  const bytes = events.map(([content, step], i) => encodeEvent(content, { step, seconds: seconds(i) }));
  expect(Buffer.concat(bytes).toString('base64')).toBe(golden.base64);
});

test('histogramOf: equal values are one bucket, every value is in one, none or NaN is an error', () => {
  expect(histogramOf(Float32Array.of(2, 2, 2))).toMatchObject({ min: 2, max: 2, count: 3, sum: 6, sumOfSquares: 12 });
  expect([...histogramOf(Float32Array.of(2, 2, 2)).counts]).toEqual([3]);
  const { counts, limits } = histogramOf(Float32Array.from({ length: 1000 }, (_, i) => Math.sin(i)));
  expect(counts.reduce((a, b) => a + b)).toBe(1000);
  expect(limits.every((limit, i) => i === 0 || limit > limits[i - 1])).toBe(true);
  expect(() => histogramOf(new Float32Array(0))).toThrow(/finite values/);
  expect(() => histogramOf(Float32Array.of(1, Number.NaN))).toThrow(/finite values/);
});

test('what was logged is in the file at once, and files of one second keep their order', () => {
  const folder = newFolder();
  const now = () => 1_700_000_000_250;
  const first = new EventFile(folder, { now });
  const sizeOf = () => readFileSync(first.path).length;
  const empty = sizeOf();
  first.scalar('a', 1, 1);
  expect(sizeOf()).toBeGreaterThan(empty);
  const second = new EventFile(folder, { now, resumedAfter: 1 });
  for (const file of [first, second]) file.close();
  expect(readdirSync(folder)).toEqual(['events.out.tfevents.1700000000.rmac', 'events.out.tfevents.1700000001.rmac']);
});

test('a folder or file that cannot be written is one clear error', () => {
  const folder = newFolder();
  writeFileSync(join(folder, 'file'), '');
  expect(() => new EventFile(join(folder, 'file'))).toThrow(InputError);
  expect(() => new EventFile(join(folder, 'file'))).toThrow(/Cannot write .*events\.out\.tfevents/);
  const closed = new EventFile(folder); // as a write that the system refuses
  closed.close();
  expect(() => closed.scalar('a', 1, 1)).toThrow(InputError);
  expect(() => closed.scalar('a', 1, 1)).toThrow(`Cannot write ${closed.path}: EBADF`);
  const readOnly = join(folder, 'read-only');
  mkdirSync(readOnly);
  chmodSync(readOnly, 0o555);
  if (process.getuid?.() !== 0) expect(() => new EventFile(readOnly)).toThrow(/Cannot write/);
});

test.skipIf(!hasTensorboard)('TensorBoard reads a run that was killed and resumed without doubled updates', () => {
  const folder = newFolder();
  const first = new EventFile(folder, { now: () => 1_700_000_000_000 });
  for (const step of [1, 2, 3, 4]) first.scalar('train/loss', step / 10, step);
  first.histogram('weights/a', values, 2);
  first.close();
  appendFileSync(first.path, encodeEvent({ kind: 'version' }, { step: 5, seconds: 1 }).subarray(0, 20)); // torn by the kill
  const second = new EventFile(folder, { now: () => 1_700_000_100_000, resumedAfter: 2 });
  for (const step of [3, 4, 5]) second.scalar('train/loss', step, step);
  second.image('mining/hardest', { bytes: Uint8Array.of(1, 2, 3), width: 30, height: 20 }, 3);
  second.close();
  const { scalars, histograms, images } = readTensorboard(folder);
  expect(scalars['train/loss'].map(([step]) => step)).toEqual([1, 2, 3, 4, 5]);
  expect(scalars['train/loss'].map(([, value]) => Number(value.toFixed(3)))).toEqual([0.1, 0.2, 3, 4, 5]);
  expect(histograms).toEqual({ 'weights/a': [[2, 6, 6]] });
  expect(images).toEqual({ 'mining/hardest': [[3, 30, 20]] });
});
