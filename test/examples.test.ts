/** @file The programs of examples/ on generated photographs, through what the package exports. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { uprightSize } from '../src/data/upright-size.js';
import { readExportManifest } from '../src/export/manifest.js';
import { listImages } from '../src/data/image-list.js';
import { loadModel } from '../src/data/model-file.js';
import { describeImages, sizingFor } from '../src/retrieval/describe.js';
import { exportModel } from '../src/stages/export.js';
import { synthesize } from '../src/stages/synthesize.js';
import { cosine } from './support/close.js';

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
  const settings = [
    'classify.steps=3',
    'classify.cropSize=64',
    'steps=3',
    'imageSize=96',
    'poolSize=24',
    'tripletsPerStep=4',
  ];
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

describe('readers of an exported model', () => {
  let paths: string[];
  const exported = () => join(folder, 'exported');
  const expected: Float32Array[] = [];
  beforeAll(async () => {
    const { verified } = await exportModel({ model: trunk, out: exported(), device: 'cpu' });
    expect(verified).toMatchObject([{ ok: true }]);
    const model = await loadModel(trunk);
    paths = (await listImages(join(folder, 'photos/images'))).slice(0, 3).map(({ path }) => path);
    const sizing = sizingFor(model.meta);
    for await (const row of describeImages(model, paths, (path) => ({ path }), { sizing })) {
      if ('error' in row) throw row.error;
      expected.push(row.descriptor);
    }
    model.dispose();
  });

  function expectDescriptors(command: string, program: string, leastCosine: number, from = exported()) {
    const args = [join(root, 'examples', program), from, ...paths];
    const { status, stdout, stderr } = spawnSync(command, args, { encoding: 'utf8' });
    expect(status, stderr).toBe(0);
    const lines = stdout.trim().split('\n');
    expect(lines).toHaveLength(paths.length);
    for (const [i, line] of lines.entries()) {
      expect(line.startsWith(`${paths[i]} `)).toBe(true);
      const values = line.slice(paths[i].length + 1).split(' ');
      expect(cosine(values.map(Number), expected[i])).toBeGreaterThan(leastCosine);
    }
  }

  test('read-node.mjs', () => expectDescriptors(process.execPath, 'read-node.mjs', 0.99999));

  test('read-tfjs.mjs', async () => {
    const out = join(folder, 'graph');
    const { resize } = await readExportManifest(exported());
    const sizes = await Promise.all(
      paths.map(async (path) => {
        const { width, height } = await uprightSize(path);
        const scale = resize!.longestSide / Math.max(width, height);
        return { width: Math.round(width * scale), height: Math.round(height * scale) };
      }),
    );
    await exportModel({ model: trunk, out, format: 'tfjs', sizes, device: 'cpu' });
    expectDescriptors(process.execPath, 'read-tfjs.mjs', 0.9999, out);
  });

  test('read-python.py', ({ skip }) => {
    const modules = spawnSync('python3', ['-c', 'import onnxruntime, numpy, PIL'], { stdio: 'ignore' });
    if (modules.status !== 0) skip('no Python with onnxruntime, numpy and Pillow');
    expectDescriptors('python3', 'read-python.py', 0.999); // Pillow decodes and shrinks a little otherwise
  });
});
