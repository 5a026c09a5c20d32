/** @file The texts for people: every path and link in them leads somewhere, and every preset is among the papers. */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { presets } from '../src/systems/presets.js';

const root = fileURLToPath(new URL('..', import.meta.url));
const read = (path: string) => readFileSync(join(root, path), 'utf8');

/** The changelog names what there was. */
const { stdout } = spawnSync('git', ['ls-files', '*.md'], { cwd: root, encoding: 'utf8' });
const documents = stdout.split('\n').filter((path) => path !== '' && path !== 'CHANGELOG.md');

/** A heading as GitHub makes an anchor of it. */
const anchor = (heading: string) =>
  heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
    .replaceAll(' ', '-');

const anchorsOf = (path: string) => [...read(path).matchAll(/^#+ (.+)$/gm)].map(([, heading]) => anchor(heading));

test('there are documents', () => {
  for (const path of ['README.md', 'CONTRIBUTING.md', 'docs/architecture.md', 'docs/papers.md']) {
    expect(documents).toContain(path);
  }
});

test.each(documents)('%s: its paths exist', (document) => {
  const named = read(document).matchAll(
    /`((?:src|test|docs|recipes|checkpoints|results|scripts|examples|\.ci|\.github)\/[\w./-]*\w)\/?`/g,
  );
  const missing = [...named].map(([, path]) => path).filter((path) => !existsSync(join(root, path)));
  expect(missing).toEqual([]);
});

test.each(documents)('%s: its links lead to files and headings', (document) => {
  const links = [...read(document).matchAll(/\]\((?!https?:)([^)\s]*)\)/g)].map(([, link]) => link);
  const broken = links.filter((link) => {
    const [path, heading] = link.split('#');
    const target = path === '' ? document : normalize(join(dirname(document), path));
    if (!existsSync(join(root, target))) return true;
    return heading !== undefined && !anchorsOf(target).includes(heading);
  });
  expect(broken).toEqual([]);
});

test('docs/papers.md has every preset', () => {
  const papers = read('docs/papers.md');
  expect([...presets.keys()].filter((name) => !papers.includes(`\`${name}\``))).toEqual([]);
});
