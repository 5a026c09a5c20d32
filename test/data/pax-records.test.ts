import { describe, expect, test } from 'vitest';
import { readPaxRecords } from '../../src/data/pax-records.js';

const read = (text: string) => readPaxRecords(Buffer.from(text));

describe('readPaxRecords', () => {
  test('records as tar writes them, a line break in a value included', () => {
    expect(read('12 path=a/b\n13 size=1234\n17 comment=a\nb=c\n')).toEqual({
      path: 'a/b',
      size: '1234',
      comment: 'a\nb=c',
    });
    expect(read('15 path=é.jpg\n').path).toBe('é.jpg');
    expect(read('')).toEqual({});
  });

  test.each([
    '-9 a=bcde',
    '0 a=b\n',
    '999 a=b\n',
    '5 abc\n',
    'x a=b\n',
    '6 a=bc\n',
    '8',
    '9 size=-1\n',
    '12 size=abc\n',
    '28 size=99999999999999999999\n',
  ])('%j is refused at once', (text) => expect(() => read(text)).toThrow(/extended header is broken|has the size/));
});
