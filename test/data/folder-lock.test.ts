import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { isBeingWritten, lockFolder, lockOutput, withFolderLock } from '../../src/data/folder-lock.js';
import { InputError } from '../../src/errors.js';

let folder: string;
const children: ChildProcess[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'rmac-lock-'));
});
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
});

const lock = () => join(folder, '.rmac.lock');
const dead = { pid: 2 ** 22 + 1, host: hostname(), since: '2026-01-01' };

/** Another process that holds the lock of `folder` and does `then`. */
async function holder(then = 'setInterval(() => {}, 1000)'): Promise<ChildProcess> {
  const module = resolve(import.meta.dirname, '../../src/data/folder-lock.ts');
  const script = `const { lockFolder } = await import(${JSON.stringify(module)});
    const release = await lockFolder(${JSON.stringify(folder)}); console.log('held'); ${then}`;
  const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  children.push(child);
  await once(child.stdout, 'data');
  return child;
}

test('a second writer is refused in one line, which names the folder and the process', async () => {
  const child = await holder();
  const work = withFolderLock(folder, async () => 1);
  await expect(work).rejects.toThrow(InputError);
  await expect(work).rejects.toThrow(
    new RegExp(`${folder} is being written by another rmac \\(process ${child.pid}, `),
  );
});

test('in one process, too', async () => {
  const release = await lockFolder(folder);
  await expect(lockFolder(folder)).rejects.toThrow('is being written');
  release();
  await withFolderLock(folder, async () => expect(existsSync(lock())).toBe(true));
});

test('it is released on success, failure and exit', async () => {
  expect(await withFolderLock(folder, async () => 7)).toBe(7);
  await expect(withFolderLock(folder, () => Promise.reject(new Error('no')))).rejects.toThrow('no');
  expect(readdirSync(folder)).toEqual([]);
  const child = await holder('process.exit(3)');
  await once(child, 'close');
  expect(readdirSync(folder)).toEqual([]);
});

test('the lock of a killed process counts for nothing', async () => {
  const child = await holder();
  child.kill('SIGKILL');
  await once(child, 'close');
  expect(existsSync(lock())).toBe(true);
  await withFolderLock(folder, async () => expect(JSON.parse(readFileSync(lock(), 'utf8')).pid).toBe(process.pid));
  expect(readdirSync(folder)).toEqual([]);
});

test('a number that another process has by now counts for nothing, either', async () => {
  if (!existsSync('/proc/self/stat')) return; // only there the start of a process is known
  writeFileSync(lock(), JSON.stringify({ ...dead, pid: process.pid, start: '1' }));
  await withFolderLock(folder, async () => undefined);
});

test.each(['', 'nonsense'])('a lock that says %j was being written when its process was killed', async (text) => {
  writeFileSync(lock(), text);
  await withFolderLock(folder, async () => undefined);
});

test('of another host nobody can tell: the way out is said', async () => {
  writeFileSync(lock(), JSON.stringify({ ...dead, host: 'elsewhere' }));
  const error = await lockFolder(folder).catch((thrown: unknown) => thrown as Error);
  expect((error as Error).message).toContain('on elsewhere');
  expect((error as Error).message).toContain(`remove ${lock()} if that process does not run any more`);
});

test('shards write side by side, each once, and not beside a writer of the whole', async () => {
  const [one, two] = [1, 2].map((index) => ({ shard: { index, count: 2 } }));
  const release = [await lockFolder(folder, one), await lockFolder(folder, two)];
  await expect(lockFolder(folder, one)).rejects.toThrow('is being written');
  await expect(lockFolder(folder)).rejects.toThrow('is being written');
  for (const each of release) each();
  const whole = await lockFolder(folder);
  await expect(lockFolder(folder, two)).rejects.toThrow('is being written');
  whole();
  expect(readdirSync(folder)).toEqual([]);
});

test('whether somebody else writes a shard', async () => {
  const child = await holder();
  expect(await isBeingWritten(folder)).toBe(true);
  expect(await isBeingWritten(folder, { index: 1, count: 2 })).toBe(false);
  child.kill('SIGKILL');
  await once(child, 'close');
  expect(await isBeingWritten(folder)).toBe(false);
});

test('of many that come at once, one after a killed one, a single one writes', async () => {
  writeFileSync(lock(), JSON.stringify(dead));
  let [writing, most, refused] = [0, 0, 0];
  const work = async () => {
    most = Math.max(most, ++writing);
    await new Promise((done) => setTimeout(done, 20));
    writing--;
  };
  await Promise.all(Array.from({ length: 30 }, () => withFolderLock(folder, work).catch(() => refused++)));
  expect([most, refused]).toEqual([1, 29]);
});

test('what a killed writer left half is removed, what is younger or has another name is not', async () => {
  const past = new Date(Date.now() - 60_000);
  const names = ['.model.safetensors.0123abcd.tmp', 'checkpoints/step-000001/.state.json.89abcdef.tmp'];
  const others = ['.model.tmp', 'model.safetensors', 'images/.a.jpg.0123abcd.tmp', '.young.0123abcd.tmp'];
  for (const name of [...names, ...others]) {
    mkdirSync(join(folder, name, '..'), { recursive: true });
    writeFileSync(join(folder, name), '');
    if (!name.includes('young')) utimesSync(join(folder, name), past, past);
  }
  utimesSync(join(folder, '.young.0123abcd.tmp'), new Date(Date.now() + 5000), new Date(Date.now() + 5000));
  await withFolderLock(folder, async () => undefined, { within: ['checkpoints'] });
  expect(names.filter((name) => existsSync(join(folder, name)))).toEqual([]);
  expect(others.filter((name) => !existsSync(join(folder, name)))).toEqual([]);
});

test('a folder that was made for it and is empty is gone afterwards', async () => {
  const deep = join(folder, 'a/b');
  await withFolderLock(deep, async () => expect(existsSync(deep)).toBe(true));
  expect(readdirSync(folder)).toEqual([]);
  await withFolderLock(deep, async () => writeFileSync(join(deep, 'result'), ''));
  expect(readdirSync(deep)).toEqual(['result']);
});

test('a file in the place of the folder is said', async () => {
  writeFileSync(join(folder, 'file'), '');
  await expect(lockFolder(join(folder, 'file'))).rejects.toThrow('is not a folder');
});

test('one file of a folder that many write into', async () => {
  const file = join(folder, 'weights.pth');
  const release = await lockOutput(file);
  await expect(lockOutput(file)).rejects.toThrow(`${file} is being written`);
  (await lockOutput(join(folder, 'other.pth')))();
  release();
  expect(readdirSync(folder)).toEqual([]);
});
