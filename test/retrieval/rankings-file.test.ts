import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { namedRankings, readRankings } from '../../src/retrieval/rankings-file.js';

const folder = mkdtempSync(join(tmpdir(), 'rmac-ranks-'));
const database = ['tower', 'tower left', 'left', 'bridge', 'gate 2'];

let count = 0;
async function ranking(text: string, name: string, ids: readonly string[] = database): Promise<readonly string[]> {
  const place = join(folder, `${count++}`);
  mkdirSync(place);
  writeFileSync(join(place, name), text);
  const source = name === 'bridge.txt' ? place : join(place, name);
  return namedRankings(await readRankings(source), ['bridge'], ids).get('bridge') ?? [];
}

test('a name a line: whole, also where its first word is another image', async () => {
  expect(await ranking('tower left\n', 'bridge.txt')).toEqual(['tower left']);
  expect(await ranking('\ufefftower left\r\n\r\ntower\r\n', 'bridge.txt')).toEqual(['tower left', 'tower']);
});

test('a name and a score a line, as some programs write them', async () => {
  const lines = ['tower left 0.93', 'tower\t9.1e-1', 'left   -1', 'gate 2 .5'];
  expect(await ranking(lines.join('\n'), 'bridge.txt')).toEqual(['tower left', 'tower', 'left', 'gate 2']);
  expect(await ranking('gate 2\ntower\n', 'bridge.txt')).toEqual(['gate 2', 'tower']);
  expect(await ranking('tower 1 of 7\nleft 2 of 7\n', 'bridge.txt')).toEqual(['tower', 'left']);
});

test('names that the ground truth does not have are those before a blank', async () => {
  expect(await ranking('a 0.5\nb 0.4\n', 'bridge.txt', [])).toEqual(['a', 'b']);
});

test('a query a line: words, or what tabs separate where names hold spaces', async () => {
  expect(await ranking('bridge tower left\n', 'r.txt')).toEqual(['tower', 'left']);
  expect(await ranking('bridge\ttower left\ttower\n', 'r.txt')).toEqual(['tower left', 'tower']);
  expect(await ranking('\ufeffbridge\t1\tgate 2\t0\ttower left\n', 'r.txt')).toEqual(['tower left', 'gate 2']);
  expect(await ranking('bridge 0 tower\t1 left\n', 'r.txt')).toEqual(['tower', 'left']);
});

test('JSON behind a byte order mark', async () => {
  expect(await ranking('\ufeff{"bridge": ["tower left"]}', 'r.json')).toEqual(['tower left']);
});
