import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, existsSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CommanderError } from 'commander';
import { beforeAll, describe, expect, test, vi } from 'vitest';
import { register } from '../../src/commands/extract.js';
import { register as registerStatus } from '../../src/commands/status.js';
import { shardOption } from '../../src/commands/shard-option.js';
import { UsageError } from '../../src/errors.js';
import { parseNpy } from '../../src/data/npy.js';
import { runCommand } from './run-command.js';
import { makeSmallSet, type SmallSet } from './small-set.js';

const cli = fileURLToPath(new URL('../../src/cli.ts', import.meta.url));

let set: SmallSet;
beforeAll(async () => {
  set = await makeSmallSet();
});

const newFolder = () => join(mkdtempSync(join(tmpdir(), 'rmac-out-')), 'out');
const extract = (out: string, ...more: string[]) =>
  runCommand(register, 'extract', '--model', set.model, '--images', set.images, '--out', out, ...more);
const descriptors = (out: string, name = 'descriptors.npy') => parseNpy(readFileSync(join(out, name)), name);

describe('rmac extract', () => {
  test('a folder: unit rows, ids by path, JSON alone on stdout, progress on stderr', async () => {
    const out = newFolder();
    const { stdout, stderr } = await extract(out, '--size', '64', '--json');
    expect(JSON.parse(stdout)).toMatchObject({ out, images: 12, dimension: 256, resumed: 0, failures: [] });
    expect(stderr).toMatch(/extract 12\/12/);
    const { data, shape } = descriptors(out);
    expect(shape).toEqual([12, 256]);
    for (let i = 0; i < 12; i++) {
      expect(Math.hypot(...data.subarray(i * 256, (i + 1) * 256))).toBeCloseTo(1, 5);
    }
    expect(readFileSync(join(out, 'ids.txt'), 'utf8').split('\n').slice(0, 5)).toEqual([
      'checks/0',
      'checks/1',
      'checks/2',
      'checks/3',
      'rings/0',
    ]);
    expect(JSON.parse(readFileSync(join(out, 'meta.json'), 'utf8'))).toMatchObject({
      dimension: 256,
      settings: { size: '64' },
      model: { architecture: 'rmac-small', pooling: { kind: 'rmac' } },
      failures: [],
    });
  });

  test('a bad image is named, counted and left out', async () => {
    const list = join(set.images, 'list.txt');
    copyFileSync(set.manifest, join(set.images, 'bad.jpg')); // text with the name of an image
    writeFileSync(list, 'stripes/0.png\nbad.jpg\nrings/1.png\n');
    const out = newFolder();
    const { stdout, stderr } = await runCommand(
      register,
      'extract',
      '--model',
      set.model,
      '--images',
      list,
      '--out',
      out,
      '--size',
      'none',
    );
    expect(stdout).toBe(`2 descriptors of 256 values in ${out}, 1 skipped\n`);
    expect(stderr).toMatch(/skipped bad: .*bad\.jpg/);
    expect(readFileSync(join(out, 'ids.txt'), 'utf8')).toBe('stripes/0\nrings/1\n');
  });

  test('shards are written side by side', async () => {
    const [whole, parts] = [newFolder(), newFolder()];
    const manifest = ['--images', set.manifest];
    await extract(whole, '--size', '48', ...manifest);
    await extract(parts, '--size', '48', '--shard', '1/2', ...manifest);
    await extract(parts, '--size', '48', '--shard', '2/2', ...manifest);
    const joined = ['1', '2'].flatMap((i) => [...descriptors(parts, `descriptors.${i}-of-2.npy`).data]);
    expect(joined).toEqual([...descriptors(whole).data]);
  });

  test('--merge makes the whole set of them, once each is there and whole', async () => {
    const [whole, parts] = [newFolder(), newFolder()];
    const manifest = ['--images', set.manifest, '--size', '48'];
    const merge = () => runCommand(register, 'extract', '--merge', '--out', parts, '--json');
    await extract(whole, ...manifest);
    await extract(parts, '--shard', '1/3', ...manifest);
    await extract(parts, '--shard', '3/3', ...manifest);
    await expect(merge()).rejects.toThrow(/lacks shard 2\/3/);
    await extract(parts, '--shard', '2/3', ...manifest);
    const damaged = join(parts, 'descriptors.2-of-3.npy');
    const bytes = readFileSync(damaged);
    writeFileSync(damaged, Uint8Array.from(bytes).fill(1, bytes.length - 4));
    await expect(merge()).rejects.toThrow(/descriptors\.2-of-3\.npy is not what its shard had written/);
    expect(existsSync(join(parts, 'descriptors.npy'))).toBe(false);
    writeFileSync(damaged, bytes);
    const { stdout } = await merge();
    expect(JSON.parse(stdout)).toEqual({ out: parts, shards: 3, images: 12, dimension: 256, failures: 0 });
    for (const name of ['descriptors.npy', 'ids.txt', 'meta.json']) {
      expect(readFileSync(join(parts, name)).equals(readFileSync(join(whole, name))), name).toBe(true);
    }
    expect(
      readdirSync(parts)
        .filter((name) => /^(descriptors|ids|meta)\./.test(name))
        .toSorted(),
    ).toEqual(['descriptors.npy', 'ids.txt', 'meta.json']);
    await expect(runCommand(register, 'extract', '--merge', '--out', parts, '--shard', '1/3')).rejects.toThrow(
      UsageError,
    );
  });

  test('rmac status: a shard that was killed has stopped, one of a machine that says nothing is silent', async () => {
    const out = newFolder();
    const record = JSON.parse(readFileSync(set.manifest, 'utf8').split('\n')[0]);
    const many = join(set.images, 'many.jsonl');
    const line = (_: unknown, i: number) => `${JSON.stringify({ ...record, id: `${i}` })}\n`;
    writeFileSync(many, Array.from({ length: 20_000 }, line).join(''));
    const args = ['extract', '--model', set.model, '--images', many, '--out', out, '--size', '48', '--shard', '1/2'];
    const shard = spawn(process.execPath, ['--import', 'tsx', cli, ...args], { stdio: 'ignore' });
    const ended = once(shard, 'exit');
    const file = join(out, 'status.1-of-2.json');
    const first = async () =>
      JSON.parse((await runCommand(registerStatus, 'status', out, '--json')).stdout).shards[0] as { state: string };
    await expect.poll(() => existsSync(file), { timeout: 60_000 }).toBe(true);
    expect(await first()).toMatchObject({ state: 'running', total: 10_000 });
    shard.kill('SIGKILL');
    await ended;
    expect(await first()).toMatchObject({ state: 'stopped' });
    const lock = readdirSync(out).find((name) => name.endsWith('1-of-2.lock'))!;
    const elsewhere = (name: string, changes: object) => {
      const text = JSON.parse(readFileSync(join(out, name), 'utf8'));
      writeFileSync(join(out, name), JSON.stringify({ ...text, host: 'another', ...changes }));
    };
    elsewhere(lock, {});
    elsewhere('status.1-of-2.json', {});
    expect(await first()).toMatchObject({ state: 'running' });
    elsewhere('status.1-of-2.json', { updatedAt: new Date(Date.now() - 700_000).toISOString() });
    expect(await first()).toMatchObject({ state: 'silent' });
  });

  test('rmac status tells of every shard what its file and its lock say', async () => {
    const out = newFolder();
    const status = async () => JSON.parse((await runCommand(registerStatus, 'status', out, '--json')).stdout);
    await expect(status()).rejects.toThrow(/no status of a shard/);
    await extract(out, '--images', set.manifest, '--size', '48', '--shard', '2/3');
    await expect(
      extract(out, '--images', set.manifest, '--size', '48', '--shard', '3/3', '--model', join(set.folder, 'none')),
    ).rejects.toThrow();
    const done = JSON.parse(readFileSync(join(out, 'status.2-of-3.json'), 'utf8'));
    writeFileSync(join(out, 'status.1-of-3.json'), JSON.stringify({ ...done, state: 'running', done: 2 }));
    const { done: count, shards } = await status();
    expect(count).toBe(1);
    expect(shards).toMatchObject([
      { shard: '1/3', state: 'stopped', done: 2, total: 4 },
      { shard: '2/3', state: 'done', work: 'extract', done: 4, total: 4 },
      { shard: '3/3', state: 'not begun' },
    ]);
  });

  test('--pooling changes the descriptors, an existing result needs --overwrite', async () => {
    const out = newFolder();
    await extract(out, '--size', '48', '--images', set.manifest);
    const before = descriptors(out).data;
    await expect(extract(out, '--size', '48', '--pooling', 'spoc', '--images', set.manifest)).rejects.toThrow(
      /--overwrite/,
    );
    await extract(out, '--size', '48', '--pooling', 'spoc', '--images', set.manifest, '--overwrite');
    expect(descriptors(out).data).not.toEqual(before);
  });

  test('wrong usage', async () => {
    await expect(runCommand(register, 'extract')).rejects.toThrow(CommanderError);
    await expect(extract(newFolder(), '--pooling', 'max')).rejects.toThrow(CommanderError);
    await expect(extract(newFolder(), '--size', '0')).rejects.toThrow(UsageError);
    await expect(extract(newFolder(), '--device', 'abacus')).rejects.toThrow(/Unknown --device "abacus"\. Known: cpu/);
    const out = newFolder();
    await expect(extract(out, '--model', join(set.folder, 'none'))).rejects.toThrow(/Cannot read .*none/);
    expect(existsSync(out)).toBe(false);
  });
});

test('--shard slurm is the task of an array that is numbered from 1 or 0 without a gap', () => {
  const array = (id: string, count: string, min: string, max: string) => {
    for (const [name, value] of Object.entries({ ID: id, COUNT: count, MIN: min, MAX: max })) {
      vi.stubEnv(`SLURM_ARRAY_TASK_${name}`, value);
    }
    return () => shardOption('slurm');
  };
  try {
    expect(shardOption.bind(undefined, 'slurm')).toThrow(/no task of a job array/);
    expect(array('3', '8', '1', '8')()).toEqual({ index: 3, count: 8 });
    expect(array('0', '8', '0', '7')()).toEqual({ index: 1, count: 8 });
    expect(array('7', '8', '0', '7')()).toEqual({ index: 8, count: 8 });
    // Two of eight are repeated; one that follows another array; every second.
    expect(array('3', '2', '3', '7')).toThrow(/--shard \$SLURM_ARRAY_TASK_ID\/N/);
    expect(array('5', '8', '5', '12')).toThrow(UsageError);
    expect(array('1', '4', '1', '7')).toThrow(UsageError);
  } finally {
    vi.unstubAllEnvs();
  }
});

test('shardOption: i from 1 to n', () => {
  expect(shardOption('2/4')).toEqual({ index: 2, count: 4 });
  for (const text of ['0/2', '3/2', '1', '1/0', 'a/b', '1/2/3']) expect(() => shardOption(text)).toThrow(UsageError);
});
