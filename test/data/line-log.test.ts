import { appendFileSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { changedSettings, LineLog, readLineLog } from '../../src/data/line-log.js';
import { InputError } from '../../src/errors.js';

let folder: string;
let file: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'rmac-lines-'));
  file = join(folder, 'log.jsonl');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const format = 'a test, version 1';
const header = { format, settings: { size: '640' } };

/** Lines with a number n; anything else is damage. */
async function read(name = format) {
  const numbers: number[] = [];
  const extent = await readLineLog(file, name, (value) => {
    const n = (value as { n?: unknown } | undefined)?.n;
    if (typeof n !== 'number') return false;
    numbers.push(n);
    return true;
  });
  return { extent, numbers };
}

async function begun(count: number): Promise<void> {
  const log = await LineLog.begin(file, header);
  for (let n = 0; n < count; n++) await log.append({ n });
  await log.close();
}

test('cut at any byte, it keeps the whole lines and goes on behind them', async () => {
  await begun(3);
  const bytes = readFileSync(file);
  const first = bytes.indexOf('\n') + 1;
  for (let length = first; length <= bytes.length; length++) {
    writeFileSync(file, bytes);
    truncateSync(file, length);
    const { extent, numbers } = await read();
    const whole = bytes.subarray(0, length).toString().split('\n').length - 2;
    expect(numbers).toEqual([0, 1, 2].slice(0, whole));
    const log = await LineLog.resume(file, extent!);
    await log.append({ n: 9 });
    await log.close();
    expect((await read()).numbers).toEqual([...numbers, 9]);
  }
});

test('the first line that is refused ends it', async () => {
  await begun(2);
  const { length } = readFileSync(file);
  appendFileSync(file, '{"m":1}\n{"n":7}\n');
  expect(await read()).toEqual({ extent: { settings: { size: '640' }, end: length }, numbers: [0, 1] });
});

test('no file, no whole first line and another format are no log', async () => {
  expect((await read()).extent).toBeUndefined();
  writeFileSync(file, JSON.stringify(header));
  expect((await read()).extent).toBeUndefined();
  await begun(1);
  expect((await read('another, version 1')).extent).toBeUndefined();
});

test('changed settings are named, with those that came or went', () => {
  expect(changedSettings({ a: '1', b: '2' }, { a: '1', b: '3', c: '4' })).toEqual(['b 2 -> 3', 'c unset -> 4']);
  expect(changedSettings({ a: '1' }, {})).toEqual(['a 1 -> unset']);
});

test('what cannot be written is an input error that names the file', async () => {
  await expect(LineLog.begin(join(folder, 'none', 'log.jsonl'), header)).rejects.toThrow(InputError);
  await expect(LineLog.begin(join(folder, 'none', 'log.jsonl'), header)).rejects.toThrow(/Cannot write .*none/);
});
