import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { InputError } from '../../../src/errors.js';
import { compactMap } from '../../../src/retrieval/localization/compact-map.js';
import { encodeMapStore, type MapStore, parseMapStore } from '../../../src/retrieval/localization/map-store.js';
import { randomMap } from './maps.js';

function store(shapes: readonly (readonly [number, number])[], channels = 5): MapStore {
  const maps = shapes.map(([height, width], n) => {
    const map = compactMap(randomMap({ height, width, channels, seed: n }));
    return [`folder/${n} "ü"`, map] as const;
  });
  return { settings: { model: 'abc', size: '1024' }, maps: new Map(maps) };
}
const bytesOf = (value: MapStore) => new Uint8Array(Buffer.concat(encodeMapStore(value)));

describe('a file of activation maps', () => {
  test('what is read is what was written', () => {
    const side = fc.integer({ min: 1, max: 9 });
    fc.assert(
      fc.property(fc.array(fc.tuple(side, side), { maxLength: 6 }), (shapes) => {
        const written = store(shapes);
        expect(parseMapStore(bytesOf(written), 'maps')).toEqual(written);
      }),
    );
  });

  test('a damaged file is an InputError that names it, or a valid file', () => {
    const bytes = bytesOf(
      store([
        [3, 4],
        [5, 2],
      ]),
    );
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.nat(255), fc.nat(bytes.length), (at, byte, length) => {
        const changed = bytes.slice(0, length);
        if (at < length) changed[at] = byte;
        try {
          parseMapStore(changed, 'maps.bin');
        } catch (error) {
          expect(error).toBeInstanceOf(InputError);
          expect((error as Error).message).toMatch(/^maps\.bin: /);
        }
      }),
      { numRuns: 500 },
    );
  });

  test('what is wrong is said', () => {
    const bytes = bytesOf(store([[3, 4]]));
    const fails = (change: (copy: Buffer) => Uint8Array | void, message: RegExp) => {
      const copy = Buffer.from(bytes);
      expect(() => parseMapStore(change(copy) ?? copy, 'maps')).toThrow(message);
    };
    fails((copy) => copy.subarray(0, 7), /no activation maps; expected/);
    fails((copy) => void copy.writeUInt32LE(2, 8), /version 2 is unknown/);
    fails((copy) => void copy.writeUInt32LE(0xffffffff, 12), /header of 4294967295 bytes does not fit/);
    fails((copy) => copy.subarray(0, copy.length - 1), /the file ends too early/);
    fails((copy) => Buffer.concat([copy, copy.subarray(0, 1)]), /1 bytes too many/);
    fails(
      (copy) => void copy.write('"channels":9', copy.indexOf('"channels":5')),
      /the codes of an activation map are damaged/i,
    );
    fails((copy) => void copy.write('"height":0', copy.indexOf('"height":3')), /unreadable header/);
  });

  test('a header that asks for more memory than any map is refused', () => {
    const header = Buffer.from(
      JSON.stringify({
        settings: {},
        channels: 65535,
        maps: [{ id: 'a', height: 65535, width: 65535, scale: 1, bytes: 1 }],
      }),
    );
    const prefix = Buffer.from(bytesOf(store([])).subarray(0, 16));
    prefix.writeUInt32LE(header.length, 12);
    expect(() => parseMapStore(Buffer.concat([prefix, header, Buffer.from([0])]), 'maps')).toThrow(/too large/);
  });

  test('maps of different channels do not go into one file', () => {
    const { settings, maps } = store([[2, 2]]);
    const other = compactMap(randomMap({ height: 2, width: 2, channels: 6, seed: 1 }));
    expect(() => encodeMapStore({ settings, maps: new Map([...maps, ['b', other]]) })).toThrow(/"b" has 6 channels/);
  });
});
