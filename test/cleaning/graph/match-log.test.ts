import { appendFileSync, existsSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type ComparedPair, MatchLog, matchLogFile, pairKey } from '../../../src/cleaning/graph/match-log.js';
import { writeFailure } from '../../../src/data/write-failure.js';
import { InputError } from '../../../src/errors.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'rmac-log-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const settings = { features: 'sift' };
const image = { image: 'k1', width: 640, height: 480, keypoints: 12, signature: 'AAAA' };
const cells = { cellsA: '00000000000000ff', cellsB: '8000000000000000' };
const pair: ComparedPair = {
  pair: ['k1', 'k2'],
  matches: 30,
  inliers: 20,
  verified: { aToB: [1, 0.1, 1 / 3, 0, 1, -7e-9], boxA: [0, 1, 2, 3], boxB: [4, 5, 6, 7], ...cells },
};
const unverified: ComparedPair = { pair: ['k1', 'k3'], matches: 2, inliers: 0 };

async function written(): Promise<string> {
  const file = matchLogFile(folder);
  const log = await MatchLog.open(file, settings);
  await log.append(image);
  await log.append(pair);
  await log.append(unverified);
  await log.close();
  return file;
}

test('what was appended is there again, numbers to the bit', async () => {
  const log = await MatchLog.open(await written(), settings);
  expect(log.images.get('k1')).toEqual(image);
  expect(log.pairs.get(pairKey('k2', 'k1'))).toEqual(pair);
  expect(log.pairs.get(pairKey('k1', 'k3'))).toEqual(unverified);
  await log.close();
});

test('cut anywhere, it keeps the whole lines and goes on behind them', async () => {
  const file = await written();
  const bytes = readFileSync(file);
  for (let length = 0; length <= bytes.length; length++) {
    writeFileSync(file, bytes);
    truncateSync(file, length);
    const lines = Math.max(0, bytes.subarray(0, length).toString().split('\n').length - 2);
    const log = await MatchLog.open(file, settings);
    expect(log.images.size + log.pairs.size).toBe(Math.min(3, lines));
    await log.append(pair);
    await log.close();
    const again = await MatchLog.open(file, settings);
    expect(again.pairs.get(pairKey('k1', 'k2'))).toEqual(pair);
    await again.close();
  }
});

test('a damaged line ends what is believed', async () => {
  const file = await written();
  appendFileSync(file, '{"pair":["x"]}\n{"image":"late"}\n');
  const log = await MatchLog.open(file, settings);
  expect(log.images.size + log.pairs.size).toBe(3);
  await log.close();
});

test('logs of shards are read together', async () => {
  for (const index of [1, 2]) {
    const log = await MatchLog.open(matchLogFile(folder, { index, count: 2 }), settings);
    await log.append(index === 1 ? pair : unverified);
    await log.close();
  }
  const log = await MatchLog.open(matchLogFile(folder), settings);
  expect(log.pairs.size).toBe(2);
  await log.close();
});

test('other settings are refused by name, or start again with overwrite', async () => {
  const file = await written();
  const other = { features: 'other', size: '640' };
  await expect(MatchLog.open(file, other)).rejects.toThrow(InputError);
  await expect(MatchLog.open(file, other)).rejects.toThrow('features sift -> other, size unset -> 640');
  const log = await MatchLog.open(file, other, { overwrite: true });
  expect(log.pairs.size).toBe(0);
  await log.close();
});

test('what cannot be written is one line that says what is kept', async () => {
  const log = await MatchLog.open(await written(), settings);
  await log.close();
  await expect(log.append(pair)).rejects.toThrow(InputError);
  await expect(log.append(pair)).rejects.toThrow(/What is finished is kept/);
  const full = Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' });
  expect(writeFailure('out/matches.jsonl', full).message).toBe(
    'Cannot write out/matches.jsonl: the disk is full. What is finished is kept; make room and run the same command again.',
  );
});

test('continues after more pairs than a call takes arguments', async () => {
  const file = await written();
  const key = (i: number) => `key${i}`;
  const count = 150_000;
  const lines = Array.from({ length: count }, (_, i) =>
    JSON.stringify({ pair: [key(i), key(i + 1)], matches: 5, inliers: 0 }),
  );
  appendFileSync(file, `${lines.join('\n')}\n`);
  const log = await MatchLog.open(file, settings);
  expect(log.pairs.size).toBe(count + 2);
  await log.close();
});

test('a shard leaves the log that another one is writing alone', async () => {
  const [one, two] = [1, 2].map((index) => matchLogFile(folder, { index, count: 2 }));
  writeFileSync(two, ''); // begun, without a first line yet
  const other = { pid: 1, host: 'elsewhere', since: '2026-01-01' };
  writeFileSync(join(folder, '.rmac.2-of-2.lock'), JSON.stringify(other));
  await (await MatchLog.open(one, settings)).close();
  expect(existsSync(two)).toBe(true);
  await (await MatchLog.open(two, settings)).close();
  const changed = MatchLog.open(one, { features: 'other' }, { overwrite: true });
  await expect(changed).rejects.toThrow(`${two} is being written with other settings`);
  rmSync(join(folder, '.rmac.2-of-2.lock'));
  await (await MatchLog.open(one, { features: 'other' }, { overwrite: true })).close();
  expect(existsSync(two)).toBe(false);
});
