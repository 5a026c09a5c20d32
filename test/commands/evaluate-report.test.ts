import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { register as registerEvaluate } from '../../src/commands/evaluate.js';
import { register as registerExtract } from '../../src/commands/extract.js';
import { writeModelFile } from '../../src/data/model-file.js';
import { defaultMeta, initialWeights } from '../../src/models/architectures.js';
import type { RpnMeta } from '../../src/models/meta.js';
import { initialRpn } from '../../src/rpn/head.js';
import { RandomStream } from '../../src/train/random.js';
import '../support/engine.js';
import { runCommand } from './run-command.js';
import { makeSmallSet, type SmallSet } from './small-set.js';

let set: SmallSet;
let model: string;

beforeAll(async () => {
  set = await makeSmallSet();
  const rpn: RpnMeta = { anchors: { base: 16, scales: [1.5, 3], ratios: [0.5, 1, 2], clip: false }, channels: 8 };
  model = join(set.folder, 'proposals.safetensors');
  await writeModelFile(model, {
    meta: { ...defaultMeta('rmac-small'), rpn },
    weights: new Map([...initialWeights('rmac-small', 1), ...initialRpn(rpn, 256, new RandomStream(1))]),
  });
});

/** The page of two queries. */
async function page(...args: string[]): Promise<string> {
  const file = join(mkdtempSync(join(tmpdir(), 'rmac-page-')), 'report.html');
  const common = ['--protocol', 'groundtruth', '--groundtruth', set.groundTruth, '--json', '--report-queries', '2'];
  const { stdout } = await runCommand(registerEvaluate, 'evaluate', ...common, '--report', file, ...args);
  expect((JSON.parse(stdout) as { report: string }).report).toBe(file);
  return readFileSync(file, 'utf8');
}

const pictures = 2 * (1 + 6);
const count = (html: string, what: RegExp) => html.match(what)?.length ?? 0;

describe('evaluate --report', () => {
  test('the best and the worst query with their results, and the grid over each picture', async () => {
    const html = await page('--model', model, '--size', '64');
    expect(count(html, /class="ranking/g)).toBe(2);
    expect(count(html, /<img /g)).toBe(pictures);
    // 64 x 48 px give 4 x 3 cells; on three levels 2 + 6 + 12 squares, as many of them strong as always
    expect(count(html, /<rect class="region"/g)).toBe((20 - 3) * pictures);
    expect(count(html, /<rect class="strong"/g)).toBe(3 * pictures);
    const aps = [...html.matchAll(/AP (\d\.\d+), \d positives?<\/figcaption>/g)].map(([, ap]) => Number(ap));
    expect(aps).toHaveLength(2);
    expect(aps[0]).toBeGreaterThanOrEqual(aps[1]);
    expect(html).toContain('<td>grid</td>');
    // Each query's photograph is in the database as junk, and not shown as a result of its own.
    expect(count(html, /<figure class="junk"/g)).toBe(0);
    expect(html).not.toMatch(/https?:/);
  });

  test('proposals in place of the grid', async () => {
    const html = await page('--model', model, '--size', '64', '--regions', 'rpn:5');
    expect(count(html, /<rect class="region"/g)).toBe(2 * pictures);
    expect(count(html, /<rect class="strong"/g)).toBe(3 * pictures);
    expect(html).toContain('<td>rpn:5</td>');
  });

  test('nothing is drawn for a model without regions, or for descriptors', async () => {
    expect(count(await page('--model', model, '--size', '64', '--pooling', 'mac'), /<rect/g)).toBe(0);
    const out = join(set.folder, 'descriptors');
    await runCommand(
      registerExtract,
      'extract',
      '--model',
      model,
      '--images',
      set.manifest,
      '--out',
      out,
      '--size',
      '64',
    );
    const html = await page('--descriptors', out);
    expect([count(html, /<rect/g), count(html, /<img /g)]).toEqual([0, pictures]);
  });

  test('an existing page is refused before any work', async () => {
    const args = ['--protocol', 'labels', '--manifest', set.manifest, '--model', model, '--report', set.manifest];
    await expect(runCommand(registerEvaluate, 'evaluate', ...args)).rejects.toThrow('--overwrite');
  });
});
