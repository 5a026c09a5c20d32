import { describe, expect, test } from 'vitest';
import { listedImagePath, pathInside } from '../../src/data/image-path.js';
import { InputError } from '../../src/errors.js';

const at = (path: string, imageRoot?: string) =>
  listedImagePath(path, { where: 'list:2', folder: '/data/sets', imageRoot });

describe('listedImagePath', () => {
  test('in the folder, whatever else may be', () => {
    expect(at('a/1.jpg')).toBe('/data/sets/a/1.jpg');
    expect(at('a/../1.jpg')).toBe('/data/sets/1.jpg');
    expect(at('a/1.jpg', '/photos')).toBe('/data/sets/a/1.jpg');
    expect(listedImagePath('a/1.jpg', { where: '', folder: 'sets' })).toBe('sets/a/1.jpg');
  });

  test('beside it where a folder above is named', () => {
    expect(at('../landmarks/x.jpg', '/data')).toBe('/data/landmarks/x.jpg');
    expect(at('..\\landmarks\\x.jpg', '/data')).toBe('/data/landmarks/x.jpg');
  });

  test.each(['../1.jpg', '..\\1.jpg', 'a/../../x/1.jpg', '../setsx/1.jpg', '..', '.', ''])(
    '"%s" leads out, and the line says what to do',
    (path) => {
      expect(() => at(path)).toThrow(InputError);
      expect(() => at(path)).toThrow(/^list:2: the image path ".*" leads out of the file's folder; .*--image-root/);
    },
  );

  test.each(['../../1.jpg', '../../database/1.jpg', '../landmarks/../../1.jpg'])('"%s" leads out of both', (path) => {
    expect(() => at(path, '/data')).toThrow(
      `list:2: the image path "${path}" leads out of the file's folder and of --image-root /data.`,
    );
  });

  test.each(['/data/sets/1.jpg', 'C:\\1.jpg', 'c:1.jpg', '\\1.jpg'])('"%s" is not relative', (path) => {
    expect(() => at(path, '/')).toThrow(`list:2: the image path "${path}" must be relative to the file's folder.`);
  });
});

test('pathInside compares whole names', () => {
  expect(pathInside('/data/a', '/data/a/b/c.jpg')).toBe('b/c.jpg');
  expect(pathInside('/data/a', '/data/ab/c.jpg')).toBeUndefined();
  expect(pathInside('/data/a', '/data/a')).toBeUndefined();
  expect(pathInside('.', 'x/y.jpg')).toBe('x/y.jpg');
});
