import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { register as registerExtract } from '../../src/commands/extract.js';
import { register } from '../../src/commands/whiten.js';
import { readModelFile } from '../../src/data/model-file.js';
import { parseNpy } from '../../src/data/npy.js';
import { UsageError } from '../../src/errors.js';
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

  test('--power is in the model, whose whitening is of the raised vectors; another number is a usage error', async () => {
    const [plain, rooted, again] = [newFile(), newFile(), newFile()];
    const more = ['--dimension', '4', '--size', '64'];
    await whiten(plain, ...more);
    await whiten(rooted, ...more, '--power', '0.5');
    const files = await Promise.all([plain, rooted].map(readModelFile));
    expect(files.map(({ meta }) => meta.pooling.power)).toEqual([undefined, 0.5]);
    const [mean, rootedMean] = files.map(({ weights }) => weights.get('whitening/shift')!.data.map((x) => -x));
    // Rows of unit length: the mean of square roots is above that of the values where these are spread.
    const sum = (values: ArrayLike<number>) => Array.from(values).reduce((total, x) => total + x, 0);
    expect(sum(rootedMean)).toBeGreaterThan(1.1 * sum(mean));
    // A model keeps its own.
    await runCommand(register, 'whiten', '--model', rooted, '--manifest', set.manifest, '--out', again, ...more);
    expect(readFileSync(again).equals(readFileSync(rooted))).toBe(true);
    for (const wrong of ['0', '2', 'x']) await expect(whiten(newFile(), '--power', wrong)).rejects.toThrow(UsageError);
  });

  test('--strength attenuates the whitening; another number, or with --pairs, is a usage error', async () => {
    const [whole, half] = [newFile(), newFile()];
    const more = ['--dimension', '4', '--size', '64'];
    await whiten(whole, ...more);
    await whiten(half, ...more, '--strength', '0.5');
    const kernels = await Promise.all([whole, half].map(async (file) => (await readModelFile(file)).weights));
    const [a, b] = kernels.map((weights) => weights.get('whitening/kernel')!.data);
    // Rows are the same directions, in lengths whose square roots are the others'.
    const lengths = (kernel: ArrayLike<number>) =>
      [0, 1, 2, 3].map((d) => Math.hypot(...Array.from({ length: 256 }, (_, c) => kernel[4 * c + d])));
    lengths(b).forEach((length, d) => expect(length).toBeCloseTo(Math.sqrt(lengths(a)[d]), 3));
    for (const wrong of ['2', '-1', 'x'])
      await expect(whiten(newFile(), '--strength', wrong)).rejects.toThrow(UsageError);
    await expect(whiten(newFile(), '--strength', '0.5', '--pairs', 'labels')).rejects.toThrow(/leave out --pairs/);
  });

  test('the same bytes from the same seed; an existing file needs --overwrite', async () => {
    const [a, b] = [newFile(), newFile()];
    const more = ['--dimension', '8', '--size', '64', '--max-images', '6', '--seed', '3'];
    await whiten(a, ...more);
    await whiten(b, ...more);
    expect(readFileSync(a).equals(readFileSync(b))).toBe(true);
    await expect(whiten(a, ...more)).rejects.toThrow(/exists; pass --overwrite/);
  });

  test('Lw from the labels and from a file of pairs, for one vector per image', async () => {
    const [byLabels, byFile] = [newFile(), newFile()];
    const more = ['--pooling', 'gem', '--dimension', '8', '--size', '64', '--json'];
    const { stdout } = await whiten(byLabels, '--pairs', 'labels', ...more);
    // three landmarks of four photographs: six pairs each
    expect(JSON.parse(stdout)).toMatchObject({ dimension: 8, images: 12, pairs: 18 });
    expect((await readModelFile(byLabels)).weights.get('whitening/kernel')?.shape).toEqual([256, 8]);
    const ids = readFileSync(set.manifest, 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { id: string; landmark: string });
    const lines = ids.flatMap((a, i) =>
      ids.slice(i + 1).flatMap((b) => (a.landmark === b.landmark ? [JSON.stringify({ a: a.id, b: b.id })] : [])),
    );
    const pairs = join(byFile, '..', 'graph.jsonl');
    const dropped = JSON.stringify({ a: ids[0].id, b: ids.at(-1)?.id, kept: false });
    writeFileSync(pairs, `${[...lines, dropped].join('\n')}\n`);
    await whiten(byFile, '--pairs', pairs, ...more);
    expect(readFileSync(byFile).equals(readFileSync(byLabels))).toBe(true);

    const out = newFile();
    await expect(whiten(out, '--pairs', 'labels', '--size', '64')).rejects.toThrow(/one vector per image/);
    writeFileSync(pairs, '{"a":1}\n');
    await expect(whiten(out, '--pairs', pairs, ...more)).rejects.toThrow(/graph\.jsonl:1: expected \{"a":id,"b":id\}/);
    writeFileSync(pairs, '{"a":"x","b":"y"}\n');
    await expect(whiten(out, '--pairs', pairs, ...more)).rejects.toThrow(/^Lw: no pair/);
    await expect(whiten(out, '--pairs', join(out, 'none'), ...more)).rejects.toThrow(/^Cannot read/);
  });

  test('more dimensions than regions or channels are refused and nothing is written', async () => {
    const out = newFile();
    await expect(whiten(out, '--size', '64')).rejects.toThrow(/256 dimensions cannot be learned from 240 region/);
    await expect(whiten(out, '--size', '64', '--dimension', '300')).rejects.toThrow(/choose 1 to 256/);
    await expect(readModelFile(out)).rejects.toThrow(/Cannot read/);
  });
});
