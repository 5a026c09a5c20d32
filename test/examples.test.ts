/** @file The programs of examples/ on generated photographs, through what the package exports. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { synthesize } from '../src/stages/synthesize.js';

const root = fileURLToPath(new URL('..', import.meta.url));
const trunk = join(root, 'checkpoints/rmac-small.safetensors');
let folder: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'rmac-examples-'));
  await synthesize({ out: join(folder, 'photos'), landmarks: 8, photos: 4, noise: 0, size: 160, seed: 3 });
});
afterAll(() => rmSync(folder, { recursive: true }));

function run(program: string, ...args: string[]): string {
  const tsx = join(root, 'node_modules/tsx/dist/cli.mjs');
  const { status, stdout, stderr } = spawnSync(process.execPath, [tsx, join(root, 'examples', program), ...args], {
    encoding: 'utf8',
  });
  expect(status, stderr).toBe(0);
  return stdout;
}

test('fine-tune.ts trains on a folder and says mAP before and after', () => {
  const work = join(folder, 'work');
  const settings = ['steps=3', 'imageSize=96', 'poolSize=24', 'tripletsPerStep=4'];
  const said = run('fine-tune.ts', trunk, join(folder, 'photos/images'), work, ...settings);
  expect(said).toContain('24 photographs of 6 things to train on, 8 of others to ask for');
  expect(said).toMatch(/mAP 0\.\d{3} before, 0\.\d{3} after\n$/);
  expect(existsSync(join(work, 'run/model.safetensors'))).toBe(true);
});

test('own-loss.ts: the loss falls', () => {
  const out = join(folder, 'own.safetensors');
  const said = run('own-loss.ts', trunk, join(folder, 'photos/manifest.jsonl'), out, '12');
  const losses = [...said.matchAll(/^update \d+: loss (\S+)$/gm)].map(([, loss]) => Number(loss));
  expect(losses).toHaveLength(12);
  const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  expect(mean(losses.slice(-4))).toBeLessThan(mean(losses.slice(0, 4)));
  expect(existsSync(out)).toBe(true);
});
