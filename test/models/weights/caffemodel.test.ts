import { describe, expect, test } from 'vitest';
import { InputError } from '../../../src/errors.js';
import { parseCaffemodel } from '../../../src/models/weights/caffemodel.js';
import { readWeights } from '../../../src/models/weights/read-weights.js';
import { expectedOf, expectTensors, fixture, fuzz } from './fixtures.js';

test.each(['current.caffemodel', 'older.caffemodel'])(
  '%s: layers, shapes of both forms, double blobs, and batch norms divided by their factor',
  (name) => {
    const { format, tensors } = readWeights(fixture(name), name);
    expect(format).toBe('caffemodel');
    expectTensors(tensors, expectedOf(name));
  },
);

/** A message of length-delimited fields. */
const message = (...fields: [number, Uint8Array | string][]): Buffer =>
  Buffer.concat(
    fields.flatMap(([number, content]) => {
      const bytes = Buffer.from(content);
      return [Buffer.from([...varint(number * 8 + 2), ...varint(bytes.length)]), bytes];
    }),
  );
const varint = (value: number): number[] =>
  value < 128 ? [value] : [(value % 128) + 128, ...varint(Math.floor(value / 128))];
const layer = (...blobs: Uint8Array[]) =>
  message(
    [1, 'net'],
    [100, message([1, 'conv'], [2, 'Convolution'], ...blobs.map((blob): [number, Uint8Array] => [7, blob]))],
  );
const floats = (...values: number[]) => Buffer.from(Float32Array.from(values).buffer);
const shape = (...dims: number[]) => message([1, Buffer.from(dims.flatMap(varint))]);

test('values that are not packed are read too', () => {
  const loose = Buffer.concat([Buffer.from([0x2d]), floats(1.5), Buffer.from([0x2d]), floats(-2)]);
  const { tensors } = parseCaffemodel(layer(Buffer.concat([message([7, shape(2)]), loose])), 'f');
  expect(tensors.get('conv.weight')).toEqual({ shape: [2], data: Float32Array.of(1.5, -2) });
});

describe('hostile files are refused with one line', () => {
  const cases: [string, Uint8Array, RegExp][] = [
    ['no layers', message([1, 'net']), /no layers/],
    ['more values than there are', layer(message([7, shape(3)], [5, floats(1, 2)])), /3 float32 values expected/],
    ['2^40 values', layer(message([7, shape(2 ** 20, 2 ** 20)], [5, floats(1)])), /too large/],
    ['a shape of 40 axes', layer(message([7, shape(...new Array(40).fill(1))], [5, floats(1)])), /no shape/],
    ['a negative shape', layer(message([7, message([1, Buffer.from([...new Array(9).fill(0xff), 1])])])), /too large/],
    ['a length behind the end', Buffer.from([0x0a, 0xff, 0xff, 0xff, 0x7f, 1]), /breaks off/],
    ['groups in groups', Buffer.concat([message([1, 'n']), Buffer.alloc(100_000, 0x0b)]), /breaks off/],
    ['the same layer twice', Buffer.concat([layer(message([5, floats(1)])), layer(message([5, floats(1)]))]), /twice/],
  ];
  test.each(cases)('%s', (_, bytes, text) => {
    expect(() => parseCaffemodel(bytes, 'w.caffemodel')).toThrow(InputError);
    expect(() => parseCaffemodel(bytes, 'w.caffemodel')).toThrow(text);
    expect(() => parseCaffemodel(bytes, 'w.caffemodel')).toThrow(/^w\.caffemodel: [^\n]*$/);
  });
});

test('a truncated file is refused unless it ends between two layers', () => {
  const good = fixture('current.caffemodel');
  let complete = 0;
  for (let length = 0; length < good.length; length++) {
    try {
      parseCaffemodel(good.slice(0, length), 'f');
      complete++;
    } catch (error) {
      expect(error).toBeInstanceOf(InputError);
    }
  }
  expect(complete).toBeLessThan(7); // the importer then lists the layers that are missing
});

test.each(['current.caffemodel', 'older.caffemodel'])(
  'fuzz: any damage to %s gives a result or an InputError',
  (name) => {
    fuzz(fixture(name), (bytes) => parseCaffemodel(bytes, 'f'));
  },
);
