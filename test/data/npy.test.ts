import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { InputError } from '../../src/errors.js';
import { encodeNpy, parseIntegerNpy, parseNpy } from '../../src/data/npy.js';

/** An .npy file with any header text and values. */
function npy(dict: string, values: Uint8Array, version = 1): Uint8Array {
  const header = new TextEncoder().encode(`${dict}\n`);
  const length =
    version === 1 ? [header.length & 0xff, header.length >> 8] : [header.length & 0xff, header.length >> 8, 0, 0];
  return Uint8Array.of(0x93, ...Buffer.from('NUMPY'), version, 0, ...length, ...header, ...values);
}
const bytesOf = (array: Float32Array | Float64Array) => new Uint8Array(array.buffer);

describe('npy', () => {
  test('the file of np.arange(6, dtype="f4").reshape(2, 3), byte for byte', () => {
    // python3 -c "import numpy as np, sys; np.save(sys.stdout.buffer, np.arange(6, dtype='f4').reshape(2, 3))" (numpy 2.4.6)
    const dict = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }";
    const header = `\u0093NUMPY\u0001\u0000v\u0000${dict.padEnd(117)}\n`;
    const values = bytesOf(Float32Array.of(0, 1, 2, 3, 4, 5));
    expect(Buffer.from(encodeNpy(Float32Array.of(0, 1, 2, 3, 4, 5), [2, 3]))).toEqual(
      Buffer.concat([Buffer.from(header, 'latin1'), values]),
    );
  });

  test('what is written is read back', () => {
    const shapes = fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 3 });
    fc.assert(
      fc.property(shapes, (shape) => {
        const data = Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => Math.sin(i));
        const bytes = encodeNpy(data, shape);
        expect((bytes.length - data.byteLength) % 64).toBe(0);
        expect(parseNpy(bytes, 'x.npy')).toEqual({ data, shape });
      }),
      { seed: 4 },
    );
  });

  test('float64, version 2, other key order and unaligned buffers', () => {
    const file = npy("{'shape': (2,), 'fortran_order': False, 'descr': '<f8'}", bytesOf(Float64Array.of(0.5, -3)), 2);
    const shifted = new Uint8Array(file.length + 1);
    shifted.set(file, 1);
    const expected = { data: Float32Array.of(0.5, -3), shape: [2] };
    expect(parseNpy(shifted.subarray(1), 'x.npy')).toEqual(expected);
    // a Buffer, as readFile gives it, whose slice() is a view and no copy
    expect(parseNpy(Buffer.from(shifted.buffer, 1), 'x.npy')).toEqual(expected);
  });

  test.each([1, 2, 3])('version %i in Fortran order, as np.save writes a transposed array', (version) => {
    // np.lib.format.write_array(file, np.asfortranarray(np.arange(6, dtype='f4').reshape(2, 3)), version) (numpy 2.4.6)
    const dict = (type: string, shape: string) => `{'descr': '${type}', 'fortran_order': True, 'shape': (${shape}), }`;
    const stored = [0, 3, 1, 4, 2, 5];
    const matrix = { data: Float32Array.of(0, 1, 2, 3, 4, 5), shape: [2, 3] };
    expect(parseNpy(npy(dict('<f4', '2, 3'), bytesOf(Float32Array.from(stored)), version), 'x')).toEqual(matrix);
    expect(parseNpy(npy(dict('<f8', '2, 3'), bytesOf(Float64Array.from(stored)), version), 'x')).toEqual(matrix);
    const integers = npy(dict('<i8', '2, 3'), new Uint8Array(BigInt64Array.from(stored.map(BigInt)).buffer), version);
    expect([...parseIntegerNpy(integers, 'x').values]).toEqual([0, 1, 2, 3, 4, 5]);
    // np.asfortranarray(np.arange(12).reshape(2, 3, 2)).ravel(order='K')
    const cube = Float32Array.of(0, 6, 2, 8, 4, 10, 1, 7, 3, 9, 5, 11);
    const read = parseNpy(npy(dict('<f4', '2, 3, 2'), bytesOf(cube), version), 'x');
    expect([...read.data]).toEqual(Array.from({ length: 12 }, (_, i) => i));
    expect(parseNpy(npy(dict('<f4', '0, 3'), new Uint8Array(), version), 'x').data).toHaveLength(0);
  });

  test.each([
    ['empty', new Uint8Array(), /not an \.npy file/],
    ['not npy', new TextEncoder().encode('hello world, this is text'), /not an \.npy file/],
    ['integers', npy("{'descr': '<i8', 'fortran_order': False, 'shape': (1,)}", new Uint8Array(8)), /type '<i8'/],
    ['big-endian', npy("{'descr': '>f4', 'fortran_order': False, 'shape': (1,)}", new Uint8Array(4)), /astype/],
    ['short', npy("{'descr': '<f4', 'fortran_order': False, 'shape': (3,)}", new Uint8Array(8)), /needs 12 bytes/],
    ['long', npy("{'descr': '<f4', 'fortran_order': False, 'shape': (1,)}", new Uint8Array(8)), /needs 4 bytes/],
    ['pickled', npy("{'descr': '|O', 'fortran_order': False, 'shape': (1,)}", new Uint8Array(8)), /type '\|O'/],
    [
      'huge shape',
      npy("{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999, 99999999999, 0)}", new Uint8Array(4)),
      /shape/,
    ],
    ['no shape', npy("{'descr': '<f4', 'fortran_order': False}", new Uint8Array(4)), /header/],
    ['future version', npy("{'descr': '<f4'}", new Uint8Array(), 9), /version 9/],
  ])('%s is refused with the file name and what was expected', (_, bytes, message) => {
    expect(() => parseNpy(bytes, 'some/file.npy')).toThrow(InputError);
    expect(() => parseNpy(bytes, 'some/file.npy')).toThrow(message);
    expect(() => parseNpy(bytes, 'some/file.npy')).toThrow(/^some\/file\.npy: .*expected a NumPy file/);
  });

  test('a header length past the end is refused before anything is read', () => {
    const file = npy("{'descr': '<f4', 'fortran_order': False, 'shape': (1,)}", new Uint8Array(4), 2);
    file.fill(0xff, 8, 12);
    expect(() => parseNpy(file, 'x.npy')).toThrow(/header of 4294967295 bytes/);
  });

  test('damaged files give a result or an InputError, never another error', () => {
    const file = encodeNpy(Float32Array.of(1, 2, 3, 4), [2, 2]);
    const damage = fc.array(fc.tuple(fc.nat(file.length - 1), fc.nat(255)), { maxLength: 6 });
    fc.assert(
      fc.property(damage, fc.nat(file.length), (changes, length) => {
        const bytes = file.slice();
        for (const [at, value] of changes) bytes[at] = value;
        try {
          const { data, shape } = parseNpy(bytes.subarray(0, length), 'x.npy');
          expect(data.length).toBe(shape.reduce((a, b) => a * b, 1));
        } catch (error) {
          expect(error).toBeInstanceOf(InputError);
        }
      }),
      { seed: 5, numRuns: 2000 },
    );
  });
});

test('more rows than can be counted, of no values, are refused at once', () => {
  const header = "{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999, 0), }";
  expect(() => parseNpy(npy(header, new Uint8Array()), 'a.npy')).toThrow(InputError);
});
