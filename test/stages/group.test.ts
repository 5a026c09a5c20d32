import '../support/engine.js';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import sharp, { type Sharp } from 'sharp';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { PhotographEdge } from '../../src/cleaning/graph/collection-graph.js';
import { photographGroups } from '../../src/collection/photograph-groups.js';
import { register } from '../../src/commands/group.js';
import { readManifest } from '../../src/data/manifest.js';
import { writeModelFile } from '../../src/data/model-file.js';
import { group } from '../../src/stages/group.js';
import { picture } from '../collection/picture.js';
import { runCommand } from '../commands/run-command.js';
import { smallModelParts } from '../support/small-model.js';

let folder: string;
let options: { source: string; model: string; out: string; size: number; neighbours: number };

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'rmac-group-'));
  const source = join(folder, 'photographs');
  mkdirSync(source);
  const write = async (name: string, seed: number, change = (image: Sharp) => image) =>
    writeFileSync(join(source, name), await change(sharp(await picture(seed))).toBuffer());
  // Two things from two sides each, one of them copied to the byte and once more smaller; one thing alone.
  await write('first, "whole".png', 1);
  await write('first-turned.png', 1, (image) => image.rotate(90).resize(200));
  await write('second.png', 2);
  await write('second-part.png', 2, (image) => image.extract({ left: 40, top: 30, width: 240, height: 180 }));
  copyFileSync(join(source, 'second.png'), join(source, 'second_copy.png'));
  await write('second-small.png', 2, (image) => image.resize(160));
  await write('alone.png', 3);
  writeFileSync(join(source, 'broken.png'), 'nothing');
  const model = join(folder, 'model.safetensors');
  await writeModelFile(model, smallModelParts());
  options = { source, model, out: join(folder, 'groups'), size: 96, neighbours: 6 };
});
afterAll(() => rmSync(folder, { recursive: true }));

test('groups, copies, and a manifest that trains; again: nothing is compared anew', async () => {
  const result = await group(options);
  expect(result).toMatchObject({ photographs: 7, groups: 2, grouped: 4, copies: 2 });
  expect(result.failures.map(({ id }) => id)).toEqual(['broken']);
  const records = await readManifest(result.files.manifest);
  expect(Object.fromEntries(records.map(({ id, landmark }) => [id, landmark]))).toEqual({
    'first, "whole"': 'group-0002',
    'first-turned': 'group-0002',
    'second-part': 'group-0001',
    second: 'group-0001',
  });
  for (const { path } of records) expect(readFileSync(path).length).toBeGreaterThan(100);
  const copies = readFileSync(result.files.copies, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as unknown);
  expect(copies).toHaveLength(2);
  expect(copies).toContainEqual({ id: 'second_copy', of: 'second' });
  const table = readFileSync(result.files.table, 'utf8').split('\n');
  expect(table[0]).toBe('id,path,group,photographs,copy_of,site');
  expect(table).toContain(`alone,${join(options.source, 'alone.png')},,,,`);
  expect(table.find((line) => line.startsWith('"first, ""whole""",'))).toMatch(/,group-0002,2,,$/);
  const page = readFileSync(result.files.report, 'utf8');
  expect(page).toContain('first, &quot;whole&quot;');
  expect(page).not.toContain('first, "whole"');

  await expect(group(options)).rejects.toThrow(/exists; pass --overwrite/);
  const labels: string[] = [];
  const view = { progress: (label: string) => ({ update: () => labels.push(label), stop() {} }), note() {} };
  expect(await group({ ...options, overwrite: true }, { view })).toMatchObject({ groups: 2, grouped: 4, copies: 2 });
  // Only the broken one is tried again.
  expect(labels.filter((label) => label.startsWith('describe'))).toEqual(['describe']);
});

test('interrupted between descriptors and comparisons: the same command goes on', async () => {
  const out = join(folder, 'interrupted');
  const stop = new AbortController();
  const view = {
    progress: (label: string) => ({ update: () => label === 'neighbours' && stop.abort(), stop() {} }),
    note() {},
  };
  await expect(group({ ...options, out }, { signal: stop.signal, view })).rejects.toThrow(/Interrupted/);
  const flags = ['--model', options.model, '--size', '96', '--neighbours', '6', '--no-report', '--json'];
  const { stdout } = await runCommand(register, 'group', options.source, '--out', out, ...flags);
  expect(JSON.parse(stdout)).toMatchObject({ photographs: 7, groups: 2, grouped: 4 });
});

test('copies alone are no group; weak pairs connect nothing', () => {
  const graph = { edges: [edge(0, 1, 20), edge(2, 3, 14), edge(4, 5, 40)], duplicates: [[4, 5]] };
  expect(photographGroups(6, graph, { minInliers: 15, linkage: 0.5 })).toEqual({
    groups: [[0, 1]],
    copyOf: new Map([[5, 4]]),
    sites: [0, 0, 2, 3, 1, 1],
  });
  expect(photographGroups(6, graph, { minInliers: 14, linkage: 0.5 }).groups).toEqual([
    [0, 1],
    [2, 3],
  ]);
});

test('what photographs share behind two things does not join them; they are of one site', () => {
  // Two things of three photographs each, filmed on one table: its pairs have more keypoints, and cover less of the picture.
  const things = [0, 3].flatMap((first) => [
    edge(first, first + 1, 30, 0.5),
    edge(first + 1, first + 2, 25, 0.4),
    edge(first, first + 2, 40, 0.3),
  ]);
  const table = [edge(0, 3, 200, 0.2), edge(0, 4, 150, 0.2), edge(1, 3, 180, 0.2), edge(1, 4, 90, 0.2)];
  const graph = { edges: [...table, ...things, edge(6, 7, 20, 0.1)], duplicates: [[6, 8]] };
  const grouped = (linkage: number) => photographGroups(9, graph, { minInliers: 15, linkage });
  const separate = [
    [0, 1, 2],
    [3, 4, 5],
    [6, 7, 8],
  ]; // prettier-ignore
  expect(grouped(0.5)).toMatchObject({ groups: separate, sites: [0, 0, 0, 0, 0, 0, 1, 1, 1] });
  // Four of nine pairs are verified.
  expect(grouped(0.45).groups).toEqual(separate);
  expect(grouped(0.44).groups).toEqual([
    [0, 1, 2, 3, 4, 5],
    [6, 7, 8],
  ]); // prettier-ignore
  expect(grouped(0).groups).toEqual([
    [0, 1, 2, 3, 4, 5],
    [6, 7, 8],
  ]); // prettier-ignore
});

test('pairs that cover most of a picture come first, copies stand for their originals, and a pair counts once', () => {
  // 0 and 1 agree, 1 and its copy 2 both with 3: one of two pairs, whichever photograph was compared.
  const edges = [edge(0, 1, 15, 0.6), edge(1, 3, 99, 0.2), edge(2, 3, 99, 0.2)];
  const graph = { edges, duplicates: [[1, 2]] };
  expect(photographGroups(4, graph, { minInliers: 15, linkage: 0.5 }).groups).toEqual([[0, 1, 2, 3]]);
  expect(photographGroups(4, graph, { minInliers: 15, linkage: 0.6 }).groups).toEqual([[0, 1, 2]]);
});

test('the share of the pairs between two groups is what a count of them says', () => {
  const count = 9;
  const edges = fc.uniqueArray(fc.tuple(fc.nat(count - 2), fc.nat(count - 1), fc.nat(9)), {
    selector: ([a, b]) => `${Math.min(a, b)} ${Math.max(a, b)}`,
  });
  fc.assert(
    fc.property(edges, fc.constantFrom(0.2, 0.5, 0.8), (drawn, linkage) => {
      const pairs = drawn.filter(([a, b]) => a !== b).map(([a, b, coverage]) => edge(a, b, 20, coverage / 10));
      const isVerified = (a: number, b: number) =>
        pairs.some((pair) => (pair.a === a && pair.b === b) || (pair.a === b && pair.b === a));
      let clusters = Array.from({ length: count }, (_, node) => [node]);
      for (const { a, b } of pairs.toSorted((x, y) => y.coverage - x.coverage)) {
        const [x, y] = [a, b].map((node) => clusters.find((nodes) => nodes.includes(node))!);
        const verified = x.flatMap((i) => y.filter((j) => isVerified(i, j))).length;
        if (x === y || verified < linkage * x.length * y.length) continue;
        clusters = [...clusters.filter((nodes) => nodes !== x && nodes !== y), [...x, ...y]];
      }
      const expected = clusters.filter((nodes) => nodes.length > 1).map((nodes) => nodes.toSorted((i, j) => i - j));
      const { groups } = photographGroups(count, { edges: pairs, duplicates: [] }, { minInliers: 15, linkage });
      expect(new Set(groups.map(String))).toEqual(new Set(expected.map(String)));
    }),
    { numRuns: 60 },
  );
});

function edge(a: number, b: number, inliers: number, coverage = 0.5): PhotographEdge {
  return { a, b, inliers, coverage } as PhotographEdge;
}
