/**
 * @file Runs the shell blocks of README and docs/getting-started.md in order, in one folder, with shorter trainings; of those that it does
 * not run, and of all other pages, commands and flags exist.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));
const read = (path: string) => readFileSync(join(root, path), 'utf8');
const marker = 'not run by test/readme.test.ts';

interface Block {
  /** Why it is not run. */
  skipped: string | undefined;
  commands: string[];
}

function blocksOf(page: string): Block[] {
  const found = read(page).matchAll(/(?:<!-- ([^\n]*) -->\n)? *```sh\n([^]*?)```/g);
  return [...found].map(([, comment, text]) => {
    const lines = text.replaceAll(/\\\n/g, ' ').split('\n');
    const commands = lines.map((line) => line.trim().replaceAll(/ +/g, ' ')).filter((line) => line !== '');
    return { skipped: comment?.startsWith(`${marker}: `) ? comment.slice(marker.length + 2) : undefined, commands };
  });
}

const path = ['README.md', 'docs/getting-started.md'];
const blocks = path.flatMap(blocksOf);
const run = blocks.filter(({ skipped }) => skipped === undefined).flatMap(({ commands }) => commands);
const skipped = blocks.filter(({ skipped: why }) => why !== undefined).flatMap(({ commands }) => commands);
const others = ['CONTRIBUTING.md', ...readdirSync(join(root, 'docs')).map((name) => `docs/${name}`)]
  .filter((page) => page.endsWith('.md') && !path.includes(page))
  .flatMap((page) => blocksOf(page).flatMap(({ commands }) => commands));

/** Commands of rmac, without a comment behind. */
const shown = [...skipped, ...others].flatMap((command) => {
  const found = /^(?:npx )?rmac ((?:(?!\s#).)*)/.exec(command);
  return found === null ? [] : [found[1].trim()];
});

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'rmac-readme-'));
  symlinkSync(join(root, 'checkpoints'), join(folder, 'checkpoints'));
});
afterAll(() => rmSync(folder, { recursive: true }));

const rmac = (args: string[]) =>
  spawnSync(process.execPath, [join(root, 'dist/cli.js'), ...args], { cwd: folder, encoding: 'utf8' });

test('the steps are there, and what is not run says why', () => {
  for (const part of ['clean', 'whiten', 'train triplet', 'train classify', 'evaluate', 'extract', 'export']) {
    expect(run.join('\n')).toContain(`npx rmac ${part} `);
  }
  expect(skipped.length).toBeLessThan(run.length);
});

test.each(run)('%s', { timeout: 600_000 }, (command) => {
  const words = command.split(' ');
  expect(words.slice(0, 2)).toEqual(['npx', 'rmac']);
  const args = words.slice(2).map((word) => word.replace(/^(classify\.)?steps=\d+$/, '$1steps=3'));
  const { status, stderr } = rmac(args);
  expect(status, stderr).toBe(0);
  const at = args.indexOf('--out');
  if (at >= 0) expect(existsSync(join(folder, args[at + 1]))).toBe(true);
});

test.each([...new Set(shown)])('exists: %s', (command) => {
  const words = command.split(' ');
  const flags = words.filter((word) => word.startsWith('--'));
  const name = words.slice(0, ['data', 'weights', 'train', 'export', 'index'].includes(words[0]) ? 2 : 1);
  const { status, stdout } = rmac([...name, '--help']);
  expect(status).toBe(0);
  for (const flag of flags) expect(stdout).toMatch(new RegExp(`^ +${flag}\\b`, 'm'));
});

test('the same size is measured before and after', () => {
  const sizes = run.flatMap((command) => (command.includes(' evaluate ') ? [/--size (\S+)/.exec(command)?.[1]] : []));
  expect(sizes.length).toBeGreaterThanOrEqual(3);
  expect(new Set(sizes)).toEqual(new Set(['288']));
});
