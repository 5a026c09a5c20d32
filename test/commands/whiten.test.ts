import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { register as registerExtract } from '../../src/commands/extract.js';
import { register } from '../../src/commands/whiten.js';
import { readModelFile } from '../../src/data/model-file.js';
import { parseNpy } from '../../src/retrieval/npy.js';
import { runCommand } from './run-command.js';
import { makeSmallSet, type SmallSet } from './small-set.js';

let set: SmallSet;
beforeAll(async () => {
  set = await makeSmallSet();
});

const whiten = (out: string, ...more: string[]) =>
  runCommand(register, 'whiten', '--model', set.model, '--manifest', set.manifest, '--out', out, ...more);
const newFile = () => join(mkdtempSync(join(tmpdir(), 'rmac-w-')), 'w.safetensors');

describe('rmac whiten', () => {
  test('the model written describes with the asked dimension, at the size it was learned at', async () => {
    const out = newFile();
    const { stdout } = await whiten(out, '--dimension', '16', '--size', '64', '--json');
    const result: { regions: number; explainedVariance: number } = JSON.parse(stdout);
    // maps of 4 x 3 cells: 20 regions, twelve images
    expect(result).toMatchObject({ out, dimension: 16, images: 12, regions: 240, failures: [] });
    expect(result.explainedVariance).toBeGreaterThan(0.5);
    const { meta, weights } = await readModelFile(out);
    expect(meta).toMatchObject({ whitening: { dimension: 16 }, imageSize: 64 });
    expect(weights.get('whitening/kernel')?.shape).toEqual([256, 16]);

    const folder = join(out, '..', 'descriptors');
    const run = (...more: string[]) =>
      runCommand(registerExtract, 'extract', '--model', out, '--images', set.manifest, '--out', folder, ...more);
    await run();
    const { data, shape } = parseNpy(readFileSync(join(folder, 'descriptors.npy')), 'descriptors.npy');
    expect(shape).toEqual([12, 16]);
    expect(Math.hypot(...data.subarray(0, 16))).toBeCloseTo(1, 5);
    // another pooling: its vectors are not those the whitening was learned on
    const { stderr, stdout: text } = await run('--pooling', 'gem', '--overwrite');
    expect(stderr).toMatch(/whitening was learned for rmac and is left out with --pooling gem/);
    expect(text).toMatch(/12 descriptors of 256 values/);
  });

  test('the same bytes from the same seed; an existing file needs --overwrite', async () => {
    const [a, b] = [newFile(), newFile()];
    const more = ['--dimension', '8', '--size', '64', '--max-images', '6', '--seed', '3'];
    await whiten(a, ...more);
    await whiten(b, ...more);
    expect(readFileSync(a).equals(readFileSync(b))).toBe(true);
    await expect(whiten(a, ...more)).rejects.toThrow(/exists; pass --overwrite/);
  });

  test('more dimensions than regions or channels are refused and nothing is written', async () => {
    const out = newFile();
    await expect(whiten(out, '--size', '64')).rejects.toThrow(/256 dimensions cannot be learned from 240 region/);
    await expect(whiten(out, '--size', '64', '--dimension', '300')).rejects.toThrow(/choose 1 to 256/);
    await expect(readModelFile(out)).rejects.toThrow(/Cannot read/);
  });
});
