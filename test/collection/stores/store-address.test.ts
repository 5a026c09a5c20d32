import { expect, test } from 'vitest';
import { storedAddress } from '../../../src/collection/open-store.js';
import { asking, askingEach, optionalModule } from '../../../src/collection/stores/database.js';
import { parseStoreAddress } from '../../../src/collection/stores/store-address.js';

test('addresses of the three kinds', () => {
  expect(parseStoreAddress('postgres://me@db.example:5433/photos?table=art&index=hnsw&timeout=5')).toEqual({
    kind: 'postgres',
    text: 'postgres://me@db.example:5433/photos?table=art&index=hnsw&timeout=5',
    place: 'postgres://me@db.example:5433/photos',
    table: 'art',
    index: 'hnsw',
    timeout: 5000,
  });
  expect(parseStoreAddress('postgresql://[::1]/photos?table=art')).toMatchObject({ place: 'postgres://[::1]/photos' });
  expect(parseStoreAddress('qdrant+https://q.example/art')).toMatchObject({
    kind: 'qdrant',
    place: 'https://q.example',
    table: 'art',
    index: 'none',
    timeout: 60_000,
  });
  const lance = { kind: 'lancedb', place: 'a b/c', table: 'photographs' };
  expect(parseStoreAddress('lancedb:a b/c')).toMatchObject(lance);
  expect(parseStoreAddress('lancedb:a b/c?index=ivf&table=t')).toMatchObject({ ...lance, table: 't', index: 'ivf' });
});

test('what is no address is refused, and a password is neither kept nor told', () => {
  for (const text of [
    '',
    'x',
    'postgres:',
    'postgres://h?table=t',
    'qdrant://h/c',
    'qdrant+http://h',
    'lancedb:',
    'mysql://h/d',
  ]) {
    expect(() => parseStoreAddress(text)).toThrow(/^No address of a store: expected postgres:/);
  }
  expect(() => parseStoreAddress('postgres://h/d')).toThrow('No table is named');
  expect(() => parseStoreAddress('postgres://h/d?table=a"b')).toThrow('"a"b" cannot be the name of a table');
  expect(() => parseStoreAddress('qdrant+http://h/a%2Fb')).toThrow('"a/b" cannot be the name');
  expect(() => parseStoreAddress('postgres://h/d?table=t&index=ivf')).toThrow('index=ivf: postgres has none, hnsw.');
  expect(() => parseStoreAddress('lancedb:d?sslmode=x')).toThrow('Unknown option "sslmode"');
  expect(() => parseStoreAddress('lancedb:d?timeout=0')).toThrow('timeout=0: expected seconds');
  for (const text of ['postgres://me:sesame@h/d?table=t', 'qdrant+http://sesame@h/c', 'qdrant+http://x:sesame@h/c']) {
    expect(() => parseStoreAddress(text)).toThrow(
      /^The address of a store holds no password, since it is kept; set \w+/,
    );
    expect(() => parseStoreAddress(text)).not.toThrow(/sesame/);
  }
});

test('a folder of LanceDB beside the index moves with it', () => {
  expect(storedAddress('/data/index', 'lancedb:/data/vectors?index=hnsw')).toBe('lancedb:vectors?index=hnsw');
  expect(storedAddress('/data/index', 'lancedb:/elsewhere/vectors')).toBe('lancedb:/elsewhere/vectors');
  expect(storedAddress('/data/index', 'qdrant+http://h/c')).toBe('qdrant+http://h/c');
});

test('a package that is not there is named with what to install', async () => {
  await expect(optionalModule('rmac-no-such-package', 'rmac-no-such-package@1')).rejects.toThrow(
    /^This store needs the package rmac-no-such-package: npm install rmac-no-such-package@1\. \(.+\)$/,
  );
});

test('what a server refuses is a line; a defect stays what it is', async () => {
  const address = parseStoreAddress('qdrant+http://h/c');
  const failing = (error: Error) => asking(address, () => Promise.reject(error));
  const withCode = (error: Error, code: string | number) => Object.assign(error, { code });
  const refused = [
    withCode(new Error('connect'), 'ECONNREFUSED'),
    withCode(new Error('relation "c" does not exist'), '42P01'),
    withCode(new Error('wrong name'), 'ERR_TLS_CERT_ALTNAME_INVALID'),
    new TypeError('fetch failed', { cause: { code: 'UND_ERR_SOCKET' } }),
    Object.assign(new Error('Bad Gateway'), { status: 502 }),
    new Error('Unexpected Response: 500 (Internal Server Error)'),
  ];
  for (const error of refused) await expect(failing(error)).rejects.toThrow(/^The store c of http:\/\/h: /);
  const defects = [
    new TypeError("Cannot read properties of undefined (reading 'x')"),
    withCode(new TypeError('The "path" argument must be of type string'), 'ERR_INVALID_ARG_TYPE'),
    new Error('3 records came with 2 vectors.'),
  ];
  for (const error of defects) {
    await expect(failing(error)).rejects.toBe(error);
    const failingRows = async function* (): AsyncGenerator<number> {
      yield 1;
      throw error;
    };
    const read = async () => {
      for await (const row of askingEach(address, failingRows())) expect(row).toBe(1);
    };
    await expect(read()).rejects.toBe(error);
  }
});
