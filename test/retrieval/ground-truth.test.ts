import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { InputError } from '../../src/errors.js';
import { firstFew, labelsGroundTruth, parseGroundTruth, readGroundTruth } from '../../src/retrieval/ground-truth.js';

const database = [
  { id: 'a/1', image: 'a/1.jpg' },
  { id: 'a/2', image: 'a/2.jpg' },
];
const query = { id: 'a/1', image: 'a/1.jpg', positives: ['a/2'], junk: ['a/1'] };
const parse = (value: unknown) => parseGroundTruth(JSON.stringify(value), '/data/gt.json');

describe('parseGroundTruth', () => {
  test('paths are resolved against the file, junk may be absent, the landmark is the folder of the id', () => {
    const box = { x: 1, y: 2, width: 3, height: 4 };
    const truth = parse({ queries: [query, { id: 'crop', image: 'a/2.jpg', box, positives: [] }], database });
    expect(truth.queries[0]).toEqual({ ...query, image: '/data/a/1.jpg', landmark: 'a' });
    expect(truth.queries[1]).toEqual({
      id: 'crop',
      image: '/data/a/2.jpg',
      box,
      positives: [],
      junk: [],
      landmark: undefined,
    });
    expect(truth.database[1]).toEqual({ id: 'a/2', image: '/data/a/2.jpg' });
  });

  test('entries and positives that repeat earlier ones are passed over', () => {
    const twice = { ...query, positives: ['a/2', 'a/2'] };
    const truth = parse({ queries: [twice, twice], database: [...database, database[0]] });
    expect(truth.queries.map(({ positives }) => positives)).toEqual([['a/2']]);
    expect(truth.database).toHaveLength(2);
  });

  test.each([
    ['no database', { queries: [query] }, /database: /],
    ['no queries', { queries: [], database }, /queries: /],
    ['a query without positives list', { queries: [{ id: 'q', image: 'q.jpg' }], database }, /queries\.0\.positives: /],
    [
      'a box without area',
      { queries: [{ ...query, box: { x: 0, y: 0, width: 0, height: 1 } }], database },
      /queries\.0\.box\.width: /,
    ],
    [
      'two queries of one id',
      { queries: [query, { ...query, junk: [] }], database },
      /queries: id "a\/1" stands for two/,
    ],
    [
      'two images of one id',
      { queries: [query], database: [...database, { ...database[0], image: 'other.jpg' }] },
      /database: id "a\/1" stands for two/,
    ],
    [
      'unknown positives',
      { queries: [{ ...query, positives: ['a/2', 'x', 'y'] }], database },
      /2 positives that are not in the database \(x, y\); add them/,
    ],
    [
      'positive and junk',
      { queries: [{ ...query, junk: ['a/2'] }], database },
      /a\/2 as positive and as junk; keep one/,
    ],
    ['an absolute path', { queries: [{ ...query, image: '/etc/passwd' }], database }, /must be relative/],
    ['a path upwards', { queries: [query], database: [...database, { id: 'x', image: 'a/../../x.jpg' }] }, /leads out/],
  ])('%s is refused in one line that names the file', (_, value, message) => {
    expect(() => parse(value)).toThrow(InputError);
    expect(() => parse(value)).toThrow(message);
    expect(() => parse(value)).toThrow(/^\/data\/gt\.json: [^\n]*$/);
  });

  test('a file that is not JSON, and one that is not there', async () => {
    const file = join(mkdtempSync(join(tmpdir(), 'rmac-')), 'gt.json');
    await expect(readGroundTruth(file)).rejects.toThrow(`Cannot read ground truth ${file}`);
    writeFileSync(file, '{"queries": [');
    await expect(readGroundTruth(file)).rejects.toThrow(`${file} is not JSON`);
  });

  test('any JSON and any damaged text give a result or an InputError', () => {
    const good = JSON.stringify({ queries: [query], database });
    const attempt = (text: string) => {
      try {
        expect(parseGroundTruth(text, 'gt.json').queries.length).toBeGreaterThan(0);
      } catch (error) {
        expect(error).toBeInstanceOf(InputError);
      }
    };
    fc.assert(fc.property(fc.json(), attempt), { seed: 6, numRuns: 300 });
    fc.assert(
      fc.property(fc.nat(good.length), fc.nat(good.length), fc.string(), (from, to, text) =>
        attempt(good.slice(0, from) + text + good.slice(to)),
      ),
      { seed: 7, numRuns: 1000 },
    );
  });
});

test('labelsGroundTruth: every image a query; itself and its group under other landmarks are junk', () => {
  const record = (id: string, landmark: string, group?: string) => ({ id, path: `/d/${id}.jpg`, landmark, group });
  const { queries, database: images } = labelsGroundTruth([
    record('tower1', 'tower', 'site'),
    record('tower2', 'tower', 'site'),
    record('tomb', 'tomb', 'site'),
    record('fort', 'fort'),
  ]);
  expect(images.map(({ id }) => id)).toEqual(['tower1', 'tower2', 'tomb', 'fort']);
  expect(queries.map(({ positives, junk }) => [positives, junk])).toEqual([
    [['tower2'], ['tower1', 'tomb']],
    [['tower1'], ['tower2', 'tomb']],
    [[], ['tomb', 'tower1', 'tower2']],
    [[], ['fort']],
  ]);
  expect(queries[2]).toMatchObject({ id: 'tomb', image: '/d/tomb.jpg', landmark: 'tomb' });
});

test('firstFew names three and counts the rest', () => {
  expect(firstFew(['a', 'b'])).toBe('a, b');
  expect(firstFew(['a', 'b', 'c', 'd', 'e'])).toBe('a, b, c and 2 more');
});
