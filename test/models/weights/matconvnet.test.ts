import { deflateSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { InputError } from '../../../src/errors.js';
import { parseMatconvnet } from '../../../src/models/weights/matconvnet.js';
import { readWeights } from '../../../src/models/weights/read-weights.js';
import { expectedOf, expectEveryTruncationRefused, expectTensors, fixture, fuzz } from './fixtures.js';

test.each(['simple.mat', 'dag.mat', 'hdf5.mat'])(
  '%s: filters, biases and moments of both kinds of network, compressed or not, version 5 or 7.3',
  (name) => {
    const { format, tensors } = readWeights(fixture(name), name);
    expect(format).toBe('matconvnet');
    expectTensors(tensors, expectedOf(name));
  },
);

test('the average image becomes the preprocessing: RGB, one mean per channel', () => {
  const { preprocessing } = parseMatconvnet(fixture('simple.mat'), 'f');
  expect(preprocessing).toMatchObject({ channels: 'rgb', scale: 1, std: [1, 1, 1] });
  const { data } = expectedOf('simple.mat average').averageImage;
  for (const [c, mean] of preprocessing!.mean.entries()) expect(mean).toBeCloseTo(data[c], 4);
});

/** A version 5 file of these elements. */
const file = (...elements: Buffer[]) =>
  Buffer.concat([Buffer.from('MATLAB 5.0 MAT-file'.padEnd(124)), Buffer.from([0, 1]), Buffer.from('IM'), ...elements]);
const element = (type: number, content: Buffer, claim = content.length) => {
  const tag = Buffer.alloc(8);
  tag.writeUInt32LE(type, 0);
  tag.writeUInt32LE(claim, 4);
  return Buffer.concat([tag, content, Buffer.alloc(type === 15 ? 0 : (8 - (content.length % 8)) % 8)]);
};
const u32 = (...values: number[]) => Buffer.from(Uint32Array.from(values).buffer);
const matrix = (kind: number, shape: number[], name: string, ...rest: Buffer[]) =>
  element(
    14,
    Buffer.concat([element(6, u32(kind, 0)), element(5, u32(...shape)), element(1, Buffer.from(name)), ...rest]),
  );

/** A cell in a cell in a cell ... */
function nested(depth: number): Buffer {
  let inner = matrix(6, [1, 1], 'x', element(9, Buffer.alloc(8)));
  for (let i = 0; i < depth; i++) inner = matrix(1, [1, 1], 'c', inner);
  return inner;
}

describe('hostile files are refused with one line', () => {
  const cases: [string, Buffer, RegExp][] = [
    ['no header', Buffer.from('MATLAB 5.0'), /header is broken/],
    ['no variables', file(), /no layers/],
    ['other variables', file(matrix(6, [1, 1], 'x', element(9, Buffer.alloc(8)))), /no layers, only "x"/],
    ['a length behind the end', file(element(14, Buffer.alloc(8), 2 ** 31)), /truncated/],
    ['2^31 cells', file(matrix(1, [2 ** 15, 2 ** 15], 'layers')), /cells are claimed/],
    ['negative sizes', file(matrix(1, [0xffffffff, 1], 'layers')), /no shape/],
    ['cells without end', file(nested(60)), /without end/],
    ['a bomb', file(element(15, deflateSync(Buffer.alloc(2 ** 26)))), /does not inflate/],
    ['a bomb in a bomb', file(element(15, deflateSync(element(15, deflateSync(Buffer.alloc(64)))))), /inside another/],
    ['compressed rubbish', file(element(15, Buffer.alloc(64, 7))), /does not inflate/],
  ];
  test.each(cases)('%s', (_, bytes, text) => {
    expect(() => parseMatconvnet(bytes, 'w.mat')).toThrow(InputError);
    expect(() => parseMatconvnet(bytes, 'w.mat')).toThrow(text);
    expect(() => parseMatconvnet(bytes, 'w.mat')).toThrow(/^w\.mat: [^\n]*$/);
  });
});

test('every truncation is refused', () => {
  const good = fixture('dag.mat');
  expectEveryTruncationRefused(good.slice(0, -16), (bytes) => parseMatconvnet(bytes, 'f'), 5);
});

test.each(['simple.mat', 'dag.mat', 'hdf5.mat'])('fuzz: any damage to %s gives a result or an InputError', (name) => {
  fuzz(fixture(name), (bytes) => parseMatconvnet(bytes, 'f'));
});
