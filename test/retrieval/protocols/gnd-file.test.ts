import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { InputError } from '../../../src/errors.js';
import { readGndFile } from '../../../src/retrieval/protocols/gnd-file.js';
import { openGnd } from '../../../src/retrieval/protocols/revisited.js';
import { golden } from './golden.js';

const fixture = (name: string) => fileURLToPath(new URL(`../../golden/gnd/${name}`, import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'rmac-gnd-'));
let count = 0;
function written(content: string | Uint8Array, extension = 'pkl'): string {
  const file = join(folder, `${count++}.${extension}`);
  writeFileSync(file, content);
  return file;
}

describe('readGndFile', () => {
  test('the same ground truth from every kind of file', async () => {
    const { gnd } = golden.revisited[0];
    for (const name of [
      'lists.pkl',
      'arrays.pkl',
      'arrays-protocol2.pkl',
      'text.pkl',
      'lists.json',
      'plain.mat',
      'compressed.mat',
    ]) {
      const read = await readGndFile(fixture(name));
      expect(read.images, name).toHaveLength(40);
      expect(read.queries[11], name).toBe('keble_000011');
      read.records.forEach((record, q) => {
        expect(record, name).toEqual({ ...gnd[q], bbx: [3.5 + q, 2, 60.25, 40 + q] });
      });
    }
  });

  test('a pickle of Python 2, with its quoted strings', async () => {
    const text = `(dp0\nS'imlist'\np1\n(lp2\nS'a\\'b'\np3\naS"c\\x64"\np4\nasS'qimlist'\n(lp5\nS'q'\nasS'gnd'\n(lp6\n(dp7\nS'ok'\n(lp8\nI1\nasS'junk'\n(lp9\nsas.`;
    expect(await readGndFile(written(text))).toEqual({
      images: ["a'b", 'cd'],
      queries: ['q'],
      records: [{ ok: [1], junk: [] }],
    });
  });

  test('a pickle that asks to run something is refused by name', async () => {
    const calls = `cos\nsystem\n(S'touch ${join(folder, 'ran')}'\ntR.`;
    await expect(readGndFile(written(calls))).rejects.toThrow(/asks to call "os\.system".*no code is run/);
    const stacked = Buffer.concat([Buffer.from('\x80\x04\x8c\x08builtins\x8c\x04eval\x93\x8c\x031+1\x85R.', 'latin1')]);
    await expect(readGndFile(written(stacked))).rejects.toThrow(/"builtins\.eval"/);
  });

  test('lists that do not fit are one clear error each', async () => {
    const good = { imlist: ['a', 'b'], qimlist: ['q'], gnd: [{ easy: [0], hard: [], junk: [1], bbx: [0, 0, 5, 5] }] };
    const changed = async (change: object) => readGndFile(written(JSON.stringify({ ...good, ...change }), 'json'));
    expect((await changed({})).records).toHaveLength(1);
    await expect(changed({ qimlist: ['q', 'r'] })).rejects.toThrow(/2 queries and 1 records/);
    await expect(changed({ imlist: ['a', 'a'] })).rejects.toThrow(/database name "a" occurs twice/);
    await expect(changed({ gnd: [{ easy: [2] }] })).rejects.toThrow(
      /query "q": its easy list names image 2, the database has 2/,
    );
    await expect(changed({ gnd: [{ easy: [0.5] }] })).rejects.toThrow(/image 0\.5/);
    await expect(changed({ gnd: [{ easy: [0], junk: [0] }] })).rejects.toThrow(/both easy and junk/);
    await expect(changed({ gnd: [{ easy: [0], bbx: [5, 0, 5, 9] }] })).rejects.toThrow(/box \[5, 0, 5, 9\] is none/);
    await expect(changed({ gnd: [{ easy: 'all' }] })).rejects.toThrow(/easy is no list/);
    await expect(changed({ imlist: [1] })).rejects.toThrow(/imlist holds what is no name/);
    await expect(readGndFile(written('[1', 'json'))).rejects.toThrow(InputError);
  });

  test('cut and damaged files are InputErrors, whatever the bytes are', async () => {
    const files = ['arrays.pkl', 'lists.pkl', 'compressed.mat'].map((name) => readFileSync(fixture(name)));
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...files),
        fc.nat(),
        fc.nat(255),
        fc.boolean(),
        async (bytes, at, value, cut) => {
          const damaged = cut ? bytes.subarray(0, at % bytes.length) : Buffer.from(bytes);
          if (!cut) damaged[at % bytes.length] = value;
          try {
            await readGndFile(written(damaged));
          } catch (error) {
            expect(error).toBeInstanceOf(InputError);
          }
        },
      ),
      { numRuns: 300, seed: 1 },
    );
  });
});

describe('openGnd', () => {
  const gnd = {
    images: ['a', 'b', 'c'],
    queries: ['q', 'r', 's'],
    records: [
      { easy: [0], hard: [1], junk: [] },
      { easy: [1], hard: [], junk: [] },
      { easy: [], hard: [2], junk: [0] },
    ],
  };

  test('queries that share a positive are one landmark', () => {
    const { settings, main } = openGnd('rparis6k', gnd, { file: 'f' });
    expect(main).toBe('medium');
    expect(settings.map(({ name }) => name)).toEqual(['easy', 'medium', 'hard']);
    expect(settings[0].groundTruth.queries.map(({ landmark }) => landmark)).toEqual(['q', 'q', 's']);
    expect(settings[2].groundTruth.queries[0]).toMatchObject({ positives: ['b'], junk: ['a'] });
  });

  test('the wrong kind of file, and images that are not there', () => {
    expect(() => openGnd('oxford5k', gnd, { file: 'f' })).toThrow(/no list "ok"/);
    const images = new Map(['a', 'c', 'q', 'r', 's'].map((id) => [id, id]));
    expect(() => openGnd('roxford5k', gnd, { file: 'f', images })).toThrow(/names 1 images that are not there \(b\)/);
  });
});
