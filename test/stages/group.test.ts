import '../support/engine.js';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
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
  expect(photographGroups(6, graph, { minInliers: 15, overlap: 0.3 })).toEqual({
    groups: [[0, 1]],
    copyOf: new Map([[5, 4]]),
    sites: [0, 0, 2, 3, 1, 1],
  });
  expect(photographGroups(6, graph, { minInliers: 14, overlap: 0.3 }).groups).toEqual([
    [0, 1],
    [2, 3],
  ]);
});

/** Eight cells: row by row, 0 to 7. */
const rows = (...which: number[]) => which.reduce((cells, row) => cells | (0xffn << BigInt(8 * row)), 0n);

test('what photographs share behind two things does not join them; they are of one site', () => {
  // Two things of three photographs each, in the middle, filmed on one table, on which there are more keypoints.
  const things = [0, 3].flatMap((first) => [
    edge(first, first + 1, 30, rows(2, 3, 4, 5)),
    edge(first + 1, first + 2, 25, rows(2, 3, 4)),
    edge(first, first + 2, 40, rows(3, 4, 5)),
  ]);
  const table = [
    edge(0, 3, 200, rows(0, 7)),
    edge(0, 4, 150, rows(0, 7)),
    edge(1, 3, 180, rows(0)),
    edge(2, 5, 90, rows(7)),
  ];
  const graph = { edges: [...table, ...things, edge(6, 7, 20, rows(1))], duplicates: [[6, 8]] };
  const grouped = (overlap: number) => photographGroups(9, graph, { minInliers: 15, overlap });
  expect(grouped(0.3)).toMatchObject({
    groups: [
      [0, 1, 2],
      [3, 4, 5],
      [6, 7, 8],
    ],
    sites: [0, 0, 0, 0, 0, 0, 1, 1, 1],
  });
  // Any pair, where no overlap is asked for.
  expect(grouped(0).groups).toEqual([
    [0, 1, 2, 3, 4, 5],
    [6, 7, 8],
  ]); // prettier-ignore
});

test('a pair connects where it lies on the share of cells, at both of its photographs', () => {
  // 1 is about rows 0 to 3. Its pair with 2 has one row of four in common, or of seven on the other side.
  const chain = (cells: bigint) => [edge(0, 1, 20, rows(0, 1, 2, 3)), edge(1, 2, 20, cells, rows(5))];
  const grouped = (edges: PhotographEdge[], overlap: number) =>
    photographGroups(4, { edges, duplicates: [] }, { minInliers: 15, overlap }).groups;
  expect(grouped(chain(rows(3)), 0.25)).toEqual([[0, 1, 2]]);
  expect(grouped(chain(rows(3)), 0.26)).toEqual([[0, 1]]);
  expect(grouped(chain(rows(3, 4, 5)), 0.16)).toEqual([[0, 1, 2]]);
  expect(grouped(chain(rows(3, 4, 5)), 0.17)).toEqual([[0, 1]]);
  // 2 is about something else than its pair with 1, on a larger part of it.
  const elsewhere = edge(2, 3, 15, rows(6, 7), rows(0, 1));
  expect(grouped([...chain(rows(3)), elsewhere], 0.25)).toEqual([
    [0, 1],
    [2, 3],
  ]); // prettier-ignore
});

test('copies stand for their originals', () => {
  const edges = [edge(0, 1, 15, rows(1, 2)), edge(2, 3, 99, rows(2))];
  expect(photographGroups(4, { edges, duplicates: [[1, 2]] }, { minInliers: 15, overlap: 0.5 }).groups).toEqual([
    [0, 1, 2, 3],
  ]);
});

function edge(a: number, b: number, inliers: number, cellsA = rows(3), cellsB = cellsA): PhotographEdge {
  return { a, b, inliers, cellsA, cellsB } as PhotographEdge;
}
