import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { proposalList, register } from '../../src/commands/regions.js';
import { writeModelFile } from '../../src/data/model-file.js';
import { InputError, UsageError } from '../../src/errors.js';
import { defaultMeta, initialWeights } from '../../src/models/architectures.js';
import type { RpnMeta } from '../../src/models/meta.js';
import { initialRpn } from '../../src/rpn/head.js';
import type { RegionFigures } from '../../src/rpn/region-statistics.js';
import { RandomStream } from '../../src/train/random.js';
import '../support/engine.js';
import { runCommand } from './run-command.js';
import { makeSmallSet, type SmallSet } from './small-set.js';

let set: SmallSet;
let boxes: string;
let withProposals: string;

beforeAll(async () => {
  set = await makeSmallSet();
  // Photographs of 64 x 48 px. The first box is a square of the grid's first level (48 px at the left), the second no more
  // than a fifth of a region; the third lies outside, the fourth has none.
  boxes = join(set.images, 'boxes.jsonl');
  const box = (x: number, y: number, width: number, height: number) => ({ box: { x, y, width, height } });
  const records = [box(0, 0, 48, 48), box(0, 0, 64, 4), box(70, 0, 5, 5), {}].map((own, i) => ({
    id: `${i}`,
    path: `stripes/${i}.png`,
    landmark: 'stripes',
    ...own,
  }));
  writeFileSync(boxes, records.map((record) => `${JSON.stringify(record)}\n`).join(''));
  const rpn: RpnMeta = { anchors: { base: 16, scales: [1.5, 3], ratios: [0.5, 1, 2], clip: false }, channels: 8 };
  withProposals = join(set.folder, 'proposals.safetensors');
  await writeModelFile(withProposals, {
    meta: { ...defaultMeta('rmac-small'), rpn },
    weights: new Map([...initialWeights('rmac-small', 1), ...initialRpn(rpn, 256, new RandomStream(1))]),
  });
});

interface Result {
  photographs: number;
  withoutBox: number;
  failures: { id: string; error: string }[];
  overlaps: number[];
  regions: RegionFigures[];
}

async function measure(...more: string[]): Promise<Result> {
  const { stdout } = await runCommand(register, 'regions', '--manifest', boxes, '--size', '64', '--json', ...more);
  return JSON.parse(stdout) as Result;
}

describe('rmac regions', () => {
  test('recall of grid, whole image and proposals; what cannot be used is counted', async () => {
    const result = await measure('--model', withProposals, '--proposals', '8,2');
    expect(result).toMatchObject({ photographs: 2, withoutBox: 1, failures: [{ id: '2' }] });
    expect(result.regions.map(({ name }) => name)).toEqual(['grid', 'whole image', 'rpn:2', 'rpn:8']);
    const [grid, whole, two, eight] = result.regions;
    expect(grid).toMatchObject({ recall50: 0.5, recall70: 0.5, averageRecall: 0.5 });
    expect(whole).toMatchObject({ regions: 1, recall50: 0.5, recall70: 0.5, coverageInside: 1 });
    expect([two.regions, eight.regions]).toEqual([2, 8]);
    expect(eight.averageRecall).toBeGreaterThanOrEqual(two.averageRecall);
    expect(grid.recall).toHaveLength(result.overlaps.length);
    expect(grid.recall.every((value, i) => i === 0 || value <= grid.recall[i - 1])).toBe(true);
  });

  test('the page shows curves, coverage maps and photographs, and is not overwritten', async () => {
    const report = join(set.folder, 'regions.html');
    await measure('--model', withProposals, '--proposals', '4', '--report', report, '--examples', '2');
    const page = readFileSync(report, 'utf8');
    expect(page.match(/<polyline/g)).toHaveLength(3); // grid, whole image, rpn:4
    expect(page.match(/data:image\/png/g)).toHaveLength(4); // grid and rpn:4, of the image and of the box
    // two photographs, once with the grid and once with four proposals, three of them thick
    expect(page.match(/data:image\/jpeg/g)).toHaveLength(4);
    expect(page.match(/class="truth"/g)).toHaveLength(4);
    expect(page.match(/class="strong"/g)).toHaveLength(6);
    await expect(measure('--model', withProposals, '--report', report)).rejects.toThrow('--overwrite');
  });

  test('a model without proposals: the grid alone', async () => {
    const report = join(set.folder, 'grid.html');
    const { regions } = await measure('--model', set.model, '--report', report);
    expect(regions.map(({ name }) => name)).toEqual(['grid', 'whole image']);
    expect(existsSync(report)).toBe(true);
  });

  test('no box in the manifest, or a list that is none', async () => {
    const args = ['--manifest', set.manifest, '--model', set.model];
    await expect(runCommand(register, 'regions', ...args)).rejects.toThrow(InputError);
    expect(proposalList('64,16,64')).toEqual([16, 64]);
    for (const text of ['', '0', '1.5', '2001', '16;32']) expect(() => proposalList(text)).toThrow(UsageError);
  });
});
