import { existsSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { InputError } from '../../../src/errors.js';
import { readWeights } from '../../../src/models/weights/read-weights.js';
import { parseTorch } from '../../../src/models/weights/torch.js';
import {
  expectedOf,
  expectEveryTruncationRefused,
  expectTensors,
  fixture,
  fuzz,
  torchFile,
  zipOf,
} from './fixtures.js';

test.each(['zip.pth', 'legacy.pth', 'wrapped.pth.tar', 'deflated.pth'])(
  '%s: every type, stride and container has the values that torch reads',
  (name) => {
    const { format, tensors } = readWeights(fixture(name), name);
    expect(format).toBe('pytorch');
    expectTensors(tensors, expectedOf(name));
  },
);

test('what a file holds besides tensors stays plain data', () => {
  const { checkpoint, dtypes } = parseTorch(fixture('wrapped.pth.tar'), 'f');
  expect((checkpoint!.root as Map<string, unknown>).get('epoch')).toBe(3);
  expect((checkpoint!.root as Map<string, unknown>).get('best')).toBe(0.5);
  expect(dtypes.get('bfloat16')).toBe('bfloat16');
});

test('a checkpoint that calls anything is refused by the name of what it calls, and nothing runs', () => {
  expect(() => readWeights(fixture('calls.pth'), 'calls.pth')).toThrow(/^calls\.pth: .*"posix\.system"[^\n]*$/);
  expect(existsSync('/tmp/pwned')).toBe(false);
});

test('a whole module instead of its state_dict is refused with the way out', () => {
  expect(() => readWeights(fixture('module.pth'), 'm')).toThrow(/"torch\.nn\.modules\.conv\.Conv2d".*state_dict/);
});

const pickled = (text: string) => ({ 'a/data.pkl': Buffer.from(text, 'latin1') });
/** {'w': tensor of this size and stride on a float storage of 4 values} in protocol 2. */
const tensor = (size: string, stride: string, offset = 'K\x00') =>
  `\x80\x02}U\x01wctorch._utils\n_rebuild_tensor_v2\n((U\x07storagectorch\nFloatStorage\nU\x010U\x03cpuK\x04tQ${offset}${size}${stride}\x89}tRs.`;
const four = { 'a/data/0': Buffer.from(Float32Array.of(1, 2, 3, 4).buffer) };

test('a pickle that multiplies, loops or names things by lists is refused in bounded time and memory', () => {
  const read = (pickle: string) => () => parseTorch(zipOf(pickled(pickle)), 'w.pth');
  const megabyte = `X\x00\x00\x10\x00${'a'.repeat(2 ** 20)}`;
  const encoded = `\x80\x02(c_codecs\nencode\nq\x01${megabyte}q\x02X\x06\x00\x00\x00latin1q\x03${'h\x01h\x02h\x03\x86R'.repeat(3000)}l.`;
  expect(read(encoded)).toThrow(/makes far more than it holds/);
  expect(read(`\x80\x02${'}0'.repeat(1_000_001)}N.`)).toThrow(/more than 2000000 instructions/);
  const nested = `${'('.repeat(100_000)}${'l'.repeat(100_000)}`;
  expect(read(`\x80\x02(X\x07\x00\x00\x00storagectorch\nFloatStorage\n${nested}X\x03\x00\x00\x00cpuK\x01tQ.`)).toThrow(
    /a name in the pickle is no text/,
  );
});

test('the hand-made pickle of the cases below is itself sound', () => {
  const { tensors } = parseTorch(zipOf({ ...pickled(tensor('K\x02\x85', 'K\x02\x85', 'K\x01')), ...four }), 'f');
  expect(tensors.get('w')).toEqual({ shape: [2], data: Float32Array.of(2, 4) });
});

describe('the state_dict is found', () => {
  const two = { a: [1], b: [2] };
  test.each<[string, Parameters<typeof torchFile>[0], Record<string, number>]>([
    ['at the root', { a: [1] }, { a: 1 }],
    ['under a usual key, whatever else is larger', { state_dict: { a: [1] }, ema: two }, { a: 1 }],
    ['under any key', { hyper: {}, network: two, other: { a: [3] } }, { a: 1, b: 2 }],
    ['in dicts of dicts', { model: { encoder: two, head: { c: [3] } } }, { a: 1, b: 2 }],
    ['in an optimizer never', { weights_ema: two, optimizer: { state: { '0': { m: [5] } } } }, { a: 1, b: 2 }],
    [
      'twice: both, behind their keys',
      { student: { a: [1] }, teacher: { a: [2] } },
      { 'student.a': 1, 'teacher.a': 2 },
    ],
  ])('%s', (_, content, expected) => {
    const { tensors } = parseTorch(torchFile(content), 'f');
    expect(Object.fromEntries([...tensors].map(([name, { data }]) => [name, data[0]]))).toEqual(expected);
  });

  test('not deeper than a program would put it, however deep the dicts go', () => {
    const deep = `}U\x01a`.repeat(1000);
    const end = 's'.repeat(1000);
    expect(() => parseTorch(zipOf(pickled(`\x80\x02${deep}}${end}.`)), 'f')).toThrow(/no state_dict/);
  });
});

test('bytes of protocol 2 from Python 3: empty ones are a call of bytes()', () => {
  // pickle.dumps({'w': np.zeros(0, 'f4'), 'v': np.ones(1, 'f4')}, protocol=2) of Python 3.11, numpy 2.4.6
  const content = fixture('../gnd/arrays-protocol2.pkl');
  expect(Buffer.from(content).includes('c__builtin__\nbytes\n')).toBe(true);
  const call = (args: string) => pickled(`\x80\x02}U\x01wc__builtin__\nbytes\n${args}Rs.`);
  expect(() => parseTorch(zipOf(call(')')), 'f')).toThrow(/no state_dict/); // read, and no tensor
  expect(() => parseTorch(zipOf(call('K\x05\x85')), 'f')).toThrow(/bytes are made of something/);
});

describe('hostile checkpoints are refused with one line that names the file', () => {
  const call = (module: string, name: string) => pickled(`\x80\x02c${module}\n${name}\n(U\x01xtR.`);
  const cases: [string, Uint8Array, RegExp][] = [
    ['eval', zipOf(call('builtins', 'eval')), /"builtins\.eval"/],
    ['getattr of Python 2', zipOf(call('__builtin__', 'getattr')), /"__builtin__\.getattr"/],
    ['a second stage', zipOf(call('torch.storage', '_load_from_bytes')), /"torch\.storage\._load_from_bytes"/],
    ['a name of the prototype', zipOf(call('constructor', 'constructor')), /"constructor\.constructor"/],
    ['calling what may only be mentioned', zipOf(call('numpy', 'ndarray')), /"numpy\.ndarray"/],
    ['INST', zipOf(pickled('(ios\nsystem\n.')), /instruction 0x69/],
    ['an extension code', zipOf(pickled('\x82\x01.')), /instruction 0x82/],
    ['2^62 values', zipOf({ ...pickled(tensor('\x8a\x08\0\0\0\0\0\0\0\x40\x85', 'K\x01\x85')), ...four }), /the size/],
    ['2^30 values of 4', zipOf({ ...pickled(tensor('J\0\0\0\x40\x85', 'K\x01\x85')), ...four }), /values/],
    ['2^30 times the same value', zipOf({ ...pickled(tensor('J\0\0\0\x40\x85', 'K\x00\x85')), ...four }), /values/],
    [
      'offset behind the storage',
      zipOf({ ...pickled(tensor('K\x02\x85', 'K\x01\x85', 'K\x03')), ...four }),
      /5 values/,
    ],
    [
      'negative stride',
      zipOf({ ...pickled(tensor('K\x02\x85', 'J\xff\xff\xff\xff\x85')), ...four }),
      /the size -1|"-1"/,
    ],
    ['stride of another rank', zipOf({ ...pickled(tensor('K\x02\x85', ')')), ...four }), /bad strides/],
    ['missing storage', zipOf(pickled(tensor('K\x02\x85', 'K\x01\x85'))), /storage 0 is missing/],
    [
      'storage outside the archive',
      zipOf({ ...pickled(tensor('K\x02\x85', 'K\x01\x85').replace('U\x010', 'U\x07../../x')) }),
      /missing/,
    ],
    ['a string of 4 GB', zipOf(pickled('X\xff\xff\xff\xff.')), /truncated/],
    ['no tensors', zipOf(pickled('\x80\x02}.')), /no state_dict/],
    ['no pickle', zipOf({ 'a/b': new Uint8Array(4) }), /no data\.pkl/],
    ['an empty stack', zipOf(pickled('\x80\x02.')), /never made/],
    ['unknown memo', zipOf(pickled('h\x07.')), /never made/],
    [
      'a zip bomb',
      zipOf(pickled('\0'.repeat(2 ** 20)), { deflate: true, claim: 2 ** 32 - 2 }),
      /inflate to 4294967294/,
    ],
    ['a zip that inflates to more', zipOf(pickled('\0'.repeat(2 ** 20)), { deflate: true, claim: 100 }), /100 bytes/],
    ['a member twice', Buffer.concat([zipOf(pickled('x')).subarray(0, -22)]), /directory/],
  ];
  test.each(cases)('%s', (_, bytes, message) => {
    expect(() => parseTorch(bytes, 'w.pth')).toThrow(InputError);
    expect(() => parseTorch(bytes, 'w.pth')).toThrow(message);
    expect(() => parseTorch(bytes, 'w.pth')).toThrow(/^w\.pth: [^\n]*$/);
  });
});

test('a list that holds itself ten times, thirty levels deep, costs nothing', () => {
  const levels = Array.from(
    { length: 30 },
    (_, i) => `](${`h${String.fromCharCode(i)}`.repeat(10)}eq${String.fromCharCode(i + 1)}`,
  );
  expect(() => parseTorch(zipOf(pickled(`]q\0${levels.join('')}.`)), 'f')).toThrow(/no state_dict/);
});

test('every truncation is refused', () => {
  expectEveryTruncationRefused(fixture('zip.pth'), (bytes) => parseTorch(bytes, 'f'), 3);
  expectEveryTruncationRefused(fixture('legacy.pth'), (bytes) => readWeights(bytes, 'f'));
});

test('fuzz: any damage to the zip form gives a result or an InputError', () => {
  fuzz(fixture('zip.pth'), (bytes) => parseTorch(bytes, 'f'));
});

test('fuzz: any damage to the older form gives a result or an InputError', () => {
  fuzz(fixture('legacy.pth'), (bytes) => parseTorch(bytes, 'f'));
});

test('fuzz: any damage to the pickle itself gives a result or an InputError', () => {
  const pickle = Buffer.from(tensor('K\x02\x85', 'K\x01\x85'), 'latin1');
  fuzz(pickle, (bytes) => parseTorch(zipOf({ 'a/data.pkl': bytes, ...four }), 'f'));
});
