import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { InputError } from '../../src/errors.js';
import { encodeSafetensors, halfToFloat, type NamedArrays, parseSafetensors } from '../../src/models/safetensors.js';

/** A file with this header (an object, or raw text) and `dataBytes` bytes behind it. */
function fileWith(header: unknown, dataBytes: number | Uint8Array = 0): Uint8Array {
  const json = new TextEncoder().encode(typeof header === 'string' ? header : JSON.stringify(header));
  const data = typeof dataBytes === 'number' ? new Uint8Array(dataBytes) : dataBytes;
  const bytes = new Uint8Array(8 + json.length + data.length);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(json.length), true);
  bytes.set(json, 8);
  bytes.set(data, 8 + json.length);
  return bytes;
}

const small: NamedArrays = new Map([
  ['b/kernel', { shape: [2, 3], data: Float32Array.of(1, 2, 3, 4, 5, 6) }],
  ['a', { shape: [], data: Float32Array.of(-0.5) }],
  ['empty', { shape: [0, 4], data: new Float32Array() }],
]);

test('what is written is read back', () => {
  const { tensors, metadata } = parseSafetensors(encodeSafetensors(small, { rmac: '{"x":1}' }), 'f');
  expect([...tensors.keys()]).toEqual(['a', 'b/kernel', 'empty']);
  for (const [name, array] of small) expect(tensors.get(name)).toEqual(array);
  expect(metadata).toEqual({ rmac: '{"x":1}' });
});

test('the order of insertion does not change a byte, and the data starts at a multiple of 8', () => {
  const reversed: NamedArrays = new Map([...small].toReversed());
  const bytes = encodeSafetensors(small, { b: '1', a: '2' });
  expect(encodeSafetensors(reversed, { a: '2', b: '1' })).toEqual(bytes);
  expect(new DataView(bytes.buffer).getUint32(0, true) % 8).toBe(0);
});

test('half, bfloat16, double and integer tensors become float32', () => {
  const data = new Uint8Array(2 * 2 + 2 * 2 + 8 + 8);
  const view = new DataView(data.buffer);
  view.setUint16(0, 0x3c00, true); // half 1
  view.setUint16(2, 0xc100, true); // half -2.5
  view.setUint16(4, 0x3f80, true); // bfloat16 1
  view.setUint16(6, 0xc020, true); // bfloat16 -2.5
  view.setFloat64(8, 0.1, true);
  view.setBigInt64(16, 7n, true);
  const header = {
    half: { dtype: 'F16', shape: [2], data_offsets: [0, 4] },
    brain: { dtype: 'BF16', shape: [2], data_offsets: [4, 8] },
    double: { dtype: 'F64', shape: [1], data_offsets: [8, 16] },
    count: { dtype: 'I64', shape: [], data_offsets: [16, 24] },
  };
  const { tensors } = parseSafetensors(fileWith(header, data), 'f');
  expect([...tensors.get('half')!.data]).toEqual([1, -2.5]);
  expect([...tensors.get('brain')!.data]).toEqual([1, -2.5]);
  expect([...tensors.get('double')!.data]).toEqual([Math.fround(0.1)]);
  expect([...tensors.get('count')!.data]).toEqual([7]);
});

test('halfToFloat: subnormal, largest, infinite, NaN', () => {
  expect([0x0001, 0x7bff, 0x7c00, 0xfc00, 0x8000].map(halfToFloat)).toEqual([2 ** -24, 65504, Infinity, -Infinity, -0]);
  expect(halfToFloat(0x7e00)).toBeNaN();
});

describe('hostile files are refused with one line that names the file', () => {
  const tensor = (fields: object = {}) => ({ dtype: 'F32', shape: [2], data_offsets: [0, 8], ...fields });
  const huge = new Uint8Array(16).fill(0xff);
  const cases: [string, Uint8Array, RegExp][] = [
    ['empty', new Uint8Array(), /0 bytes/],
    ['shorter than the length', new Uint8Array(5), /5 bytes/],
    ['header of 2^64 - 1 bytes', huge, /18446744073709551615 bytes/],
    ['header longer than the file', fileWith('{}').slice(0, 9), /truncated/],
    ['header that is not JSON', fileWith('{"a":'), /not JSON/],
    ['header that is not UTF-8', Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0, 0xff), /not JSON/],
    ['header that is an array', fileWith('[]'), /not an object/],
    ['header that is null', fileWith('null'), /not an object/],
    ['metadata that is not strings', fileWith({ __metadata__: { a: 1 } }), /"a" is not a string/],
    ['a tensor that is null', fileWith({ a: null }), /no description/],
    ['unknown type', fileWith({ a: tensor({ dtype: 'F8' }) }, 8), /"F8"/],
    ['type from the prototype', fileWith({ a: tensor({ dtype: 'constructor' }) }, 8), /"constructor"/],
    ['negative dimension', fileWith({ a: tensor({ shape: [-2] }) }, 8), /bad shape/],
    ['fractional dimension', fileWith({ a: tensor({ shape: [1.5] }) }, 8), /bad shape/],
    ['a product beyond 2^53', fileWith({ a: tensor({ shape: [2 ** 40, 2 ** 40] }) }, 8), /does not fill/],
    ['a product that overflows to 0', fileWith({ a: tensor({ shape: [2 ** 32, 2 ** 32, 2] }) }, 8), /does not fill/],
    ['negative offset', fileWith({ a: tensor({ data_offsets: [-8, 0] }) }, 8), /bad offsets/],
    ['offsets the wrong way round', fileWith({ a: tensor({ data_offsets: [8, 0] }) }, 8), /outside the file/],
    ['offsets behind the end', fileWith({ a: tensor({ data_offsets: [8, 16] }) }, 8), /outside the file/],
    ['truncated data', fileWith({ a: tensor() }, 7), /outside the file/],
    ['overlapping tensors', fileWith({ a: tensor(), b: tensor() }, 8), /overlaps/],
    ['a hole', fileWith({ a: tensor(), b: tensor({ data_offsets: [12, 20] }) }, 20), /hole/],
    ['bytes of no tensor', fileWith({ a: tensor() }, 12), /4 bytes belong to no tensor/],
    ['a name twice', fileWith(`{"a":${JSON.stringify(tensor())},"a":${JSON.stringify(tensor())}}`, 8), /twice/],
  ];
  test.each(cases)('%s', (_, bytes, message) => {
    expect(() => parseSafetensors(bytes, 'weights.safetensors')).toThrow(InputError);
    expect(() => parseSafetensors(bytes, 'weights.safetensors')).toThrow(message);
    expect(() => parseSafetensors(bytes, 'weights.safetensors')).toThrow(/^weights\.safetensors: [^\n]*$/);
  });
});

test('fuzz: any damage to a file gives a result or an InputError', () => {
  const good = encodeSafetensors(small, { rmac: 'x' });
  const damaged = fc.tuple(
    fc.array(fc.tuple(fc.nat(good.length - 1), fc.nat(255)), { maxLength: 6 }),
    fc.nat(good.length),
  );
  const json = fc.json().map((text) => fileWith(text, 16));
  const header = fc
    .dictionary(
      fc.string(),
      fc.record({
        dtype: fc.constantFrom('F32', 'F16', 'I64', 'X'),
        shape: fc.array(fc.oneof(fc.nat(4), fc.double()), { maxLength: 3 }),
        data_offsets: fc.array(fc.oneof(fc.nat(40), fc.integer()), { maxLength: 3 }),
      }),
    )
    .map((h) => fileWith(h, 32));
  const files = fc.oneof(
    damaged.map(([edits, length]) => {
      const bytes = good.slice();
      for (const [at, byte] of edits) bytes[at] = byte;
      return bytes.slice(0, length);
    }),
    fc.uint8Array({ maxLength: 200 }),
    json,
    header,
  );
  fc.assert(
    fc.property(files, (bytes) => {
      try {
        parseSafetensors(bytes, 'f');
        return true;
      } catch (error) {
        return error instanceof InputError;
      }
    }),
    { numRuns: 2000 },
  );
});
