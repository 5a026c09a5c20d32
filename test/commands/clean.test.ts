import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Alternative } from '../../src/cleaning/clean-advice.js';
import { register } from '../../src/commands/clean.js';
import { readManifest } from '../../src/data/manifest.js';
import { InputError, UsageError } from '../../src/errors.js';
import { type NoisyCollection, smallCollection } from '../cleaning/noisy-collection.js';
import { runCommand } from './run-command.js';

const root = mkdtempSync(join(tmpdir(), 'rmac-clean-command-'));
const cli = fileURLToPath(new URL('../../src/cli.ts', import.meta.url));
const results = ['boxes.jsonl', 'clean.jsonl', 'conflicts.jsonl', 'graph.jsonl', 'removed.jsonl', 'report.html'];
let collection: NoisyCollection;
let whole: string;

const clean = (...flags: string[]) =>
  runCommand(register, 'clean', '--manifest', collection.manifest, '--threads', '1', ...flags);
const contents = (folder: string) => results.map((name) => readFileSync(join(folder, name), 'utf8'));
const lines = <T>(file: string) =>
  readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as T);

afterAll(() => rmSync(root, { recursive: true, force: true }));
beforeAll(async () => {
  collection = await smallCollection(join(root, 'set'));
  whole = join(root, 'whole');
}, 120_000);

describe('rmac clean', () => {
  test('writes all files; --json is one object whose counts add up', async () => {
    const { stdout, stderr } = await clean('--out', whole, '--json');
    const summary = JSON.parse(stdout) as {
      images: number;
      kept: number;
      removed: Record<string, number>;
      boxes: number;
    };
    expect(stdout.trim().split('\n')).toHaveLength(1);
    expect(stderr).toContain('pairs within landmarks');
    expect(summary.images).toBe(16);
    expect(Object.values(summary.removed).reduce((sum, count) => sum + count, summary.kept)).toBe(16);

    const kept = await readManifest(join(whole, 'clean.jsonl'));
    const removed = lines<{ id: string; reason: string }>(join(whole, 'removed.jsonl'));
    expect([...kept, ...removed].map(({ id }) => id).toSorted()).toEqual(
      collection.truth.map(({ id }) => id).toSorted(),
    );
    expect(kept).toHaveLength(summary.kept);
    expect(kept.every(({ path, box }) => existsSync(path) && box !== undefined)).toBe(true);
    expect(lines(join(whole, 'boxes.jsonl'))).toHaveLength(summary.boxes);
    const [edge] = lines<{ a: string; b: string; affine: number[][]; inliers: number }>(join(whole, 'graph.jsonl'));
    expect(edge.affine.map((row) => row.length)).toEqual([3, 3]);

    const page = readFileSync(join(whole, 'report.html'), 'utf8');
    expect(page).toContain('match graph');
    expect(page.match(/<image /g)?.length).toBeGreaterThan(16);
    expect(page).toContain(removed[0].id);
    expect(page).not.toMatch(/(src|href)="(?!data:)/);
  }, 120_000);

  test('finished results are kept without --overwrite; with it nothing is compared again and the same comes out', async () => {
    await expect(clean('--out', whole)).rejects.toThrow(/clean.jsonl exists; pass --overwrite/);
    const before = contents(whole);
    const log = readFileSync(join(whole, 'matches.jsonl'), 'utf8');
    const { stdout } = await clean('--out', whole, '--overwrite');
    expect(stdout).toMatch(/photographs kept, 2 of 2 landmarks/);
    expect(contents(whole)).toEqual(before);
    expect(readFileSync(join(whole, 'matches.jsonl'), 'utf8')).toBe(log);
  }, 120_000);

  test('what other settings would keep is what they keep', async () => {
    const flags = ['--min-inliers', '40', '--overwrite', '--no-report'];
    const { stdout } = await clean('--out', whole, ...flags, '--json');
    const { kept, alternatives } = JSON.parse(stdout) as { kept: number; alternatives: Alternative[] };
    expect(alternatives.map(({ profiles, minInliers }) => [profiles, minInliers])).toEqual([
      ['all', 40],
      ['largest', 8],
      ['all', 8],
    ]);
    expect(alternatives[1].kept).toBeGreaterThan(kept);
    const text = (await clean('--out', whole, ...flags)).stdout;
    for (const { profiles, minInliers, kept: promised } of alternatives) {
      const words = [
        ...(profiles === 'all' ? ['--profiles all'] : []),
        ...(minInliers === 8 ? ['--min-inliers 8'] : []),
      ];
      const said = text.includes(`\n${words.join(' ')} would keep ${promised}`);
      expect(said, text).toBe(promised > kept);
      const again = await clean(
        '--out',
        whole,
        ...flags,
        '--profiles',
        profiles,
        '--min-inliers',
        `${minInliers}`,
        '--json',
      );
      expect((JSON.parse(again.stdout) as { kept: number }).kept).toBe(promised);
    }
    await clean('--out', whole, '--overwrite');
  }, 240_000);

  test('a higher threshold needs no new comparison; other features do, and are refused in a begun folder', async () => {
    const folder = join(root, 'strict');
    await clean('--out', folder, '--min-inliers', '100000', '--no-report', '--neighbours', '0');
    expect(
      lines<{ reason: string }>(join(folder, 'removed.jsonl')).every(({ reason }) => reason === 'no-features'),
    ).toBe(true);
    expect(existsSync(join(folder, 'report.html'))).toBe(false);
    await expect(clean('--out', folder, '--max-keypoints', '50', '--overwrite')).resolves.toBeDefined();
    rmSync(join(folder, 'clean.jsonl'));
    await expect(clean('--out', folder)).rejects.toThrow(/begun with other settings/);
  }, 120_000);

  test('shards and the run after them give what one run gives', async () => {
    const folder = join(root, 'shards');
    for (const shard of ['1/2', '2/2']) {
      await clean('--out', folder, '--shard', shard);
      expect(existsSync(join(folder, 'clean.jsonl'))).toBe(false);
    }
    await clean('--out', folder);
    expect(contents(folder)).toEqual(contents(whole));
  }, 120_000);

  test('killed at any moment, the same command ends with the same bytes', async () => {
    const folder = join(root, 'killed');
    const flags = ['--manifest', collection.manifest, '--out', folder, '--threads', '1'];
    // One kill each while features are found, pairs compared, and candidates compared.
    for (const count of [3, 12, 25, 50, 80]) {
      const child = spawn(process.execPath, ['--import', 'tsx', cli, 'clean', ...flags], { stdio: 'ignore' });
      await logOf(join(folder, 'matches.jsonl'), count, child);
      child.kill('SIGKILL');
      if (child.exitCode === null && child.signalCode === null) await once(child, 'close');
      expect(child.signalCode).toBe('SIGKILL');
      expect(existsSync(join(folder, 'clean.jsonl'))).toBe(false);
    }
    await clean('--out', folder);
    expect(contents(folder)).toEqual(contents(whole));
    expect(readdirSync(folder).filter((name) => name.endsWith('.tmp'))).toEqual([]);
  }, 240_000);

  test('Ctrl-C keeps what is finished and says how to go on', async () => {
    const folder = join(root, 'stopped');
    const flags = ['--manifest', collection.manifest, '--out', folder, '--threads', '1'];
    const child = spawn(process.execPath, ['--import', 'tsx', cli, 'clean', ...flags], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let errors = '';
    child.stderr.on('data', (chunk: Buffer) => {
      errors += chunk.toString();
    });
    await logOf(join(folder, 'matches.jsonl'), 6, child);
    child.kill('SIGINT');
    const [code] = (await once(child, 'close')) as [number | null];
    expect(code).toBe(130);
    expect(errors).toMatch(/rmac: Interrupted/);
    expect(readFileSync(join(folder, 'matches.jsonl'), 'utf8').split('\n').length).toBeGreaterThan(6);
  }, 120_000);

  test('a folder without labels is grouped from scratch, and says so', async () => {
    const manifest = join(root, 'set', 'flat.jsonl');
    const records = await readManifest(collection.manifest);
    const flat = records.map(({ id, path }) => ({ id, path: path.slice(dirname(manifest).length + 1), landmark: id }));
    writeFileSync(manifest, flat.map((record) => `${JSON.stringify(record)}\n`).join(''));
    const folder = join(root, 'flat');
    const { stderr } = await runCommand(register, 'clean', '--manifest', manifest, '--out', folder, '--threads', '1');
    expect(stderr).toContain('grouped from scratch');
    const labels = new Set((await readManifest(join(folder, 'clean.jsonl'))).map(({ landmark }) => landmark));
    expect([...labels].toSorted()).toEqual(['object-0001', 'object-0002']);
  }, 120_000);

  test('bad usage and bad input are told apart', async () => {
    const out = join(root, 'bad');
    await expect(clean('--out', out, '--min-inliers', '0')).rejects.toThrow(UsageError);
    await expect(clean('--out', out, '--shard', '3/2')).rejects.toThrow(UsageError);
    await expect(clean('--out', out, '--size', 'big')).rejects.toThrow(UsageError);
    await expect(clean('--out', out, '--profiles', 'some')).rejects.toThrow(/Allowed choices/);
    await expect(clean('--out', out, '--exclude', join(root, 'none.jsonl'))).rejects.toThrow(InputError);
    await expect(clean('--out', out, '--descriptors', join(root, 'none'))).rejects.toThrow(InputError);
    expect(existsSync(out)).toBe(false);
    const file = join(root, 'file');
    writeFileSync(file, '');
    await expect(clean('--out', file)).rejects.toThrow(InputError);
  });
});

/** Waits until the log has at least `count` lines. */
async function logOf(file: string, count: number, child: ChildProcess): Promise<void> {
  while (!existsSync(file) || readFileSync(file, 'utf8').split('\n').length <= count) {
    if (child.exitCode !== null) throw new Error(`The command ended with ${child.exitCode} before line ${count}.`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
