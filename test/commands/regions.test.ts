import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { register as registerEvaluate } from '../../src/commands/evaluate.js';
import { register as registerExtract } from '../../src/commands/extract.js';
import { regionsOption } from '../../src/commands/regions-option.js';
import { writeModelFile } from '../../src/data/model-file.js';
import { InputError, UsageError } from '../../src/errors.js';
import { defaultMeta, initialWeights } from '../../src/models/architectures.js';
import type { RpnMeta } from '../../src/models/meta.js';
import { regionsText } from '../../src/models/region-source.js';
import { initialRpn } from '../../src/rpn/head.js';
import { RandomStream } from '../../src/train/random.js';
import '../support/engine.js';
import { runCommand } from './run-command.js';
import { makeSmallSet, type SmallSet } from './small-set.js';

let set: SmallSet;
let withProposals: string;

beforeAll(async () => {
  set = await makeSmallSet();
  const rpn: RpnMeta = { anchors: { base: 16, scales: [1.5, 3], ratios: [0.5, 1, 2], clip: false }, channels: 8 };
  withProposals = join(set.folder, 'proposals.safetensors');
  await writeModelFile(withProposals, {
    meta: { ...defaultMeta('rmac-small'), rpn },
    weights: new Map([...initialWeights('rmac-small', 1), ...initialRpn(rpn, 256, new RandomStream(1))]),
  });
});

async function evaluate(model: string, ...more: string[]) {
  const args = [
    '--protocol',
    'labels',
    '--manifest',
    set.manifest,
    '--model',
    model,
    '--size',
    '64',
    '--json',
    ...more,
  ];
  const { stdout } = await runCommand(registerEvaluate, 'evaluate', ...args);
  return JSON.parse(stdout) as { map: number; failures: unknown[] };
}

describe('--regions', () => {
  test.each([
    ['grid', { grid: true, proposals: 0 }],
    ['rpn:64', { grid: false, proposals: 64 }],
    ['grid+rpn:16', { grid: true, proposals: 16 }],
  ])('%s', (text, regions) => {
    expect(regionsOption(text)).toEqual(regions);
    expect(regionsText(regions)).toBe(text);
  });

  test.each(['', 'rpn', 'rpn:0', 'rpn:2001', 'rpn:1.5', 'rpn:-1', 'rpn:64+grid', 'grid+', 'rpn:1e2'])(
    '"%s" is a usage error',
    (text) => {
      expect(() => regionsOption(text)).toThrow(UsageError);
    },
  );

  test('evaluate: proposals in the model change nothing with the grid, and something without', async () => {
    const plain = await evaluate(set.model);
    expect((await evaluate(withProposals)).map).toBe(plain.map);
    expect((await evaluate(withProposals, '--regions', 'grid')).map).toBe(plain.map);
    for (const regions of ['rpn:4', 'grid+rpn:4']) {
      const result = await evaluate(withProposals, '--regions', regions);
      expect(result.failures).toEqual([]);
      expect(result.map).not.toBe(plain.map);
    }
  });

  test('extract: the regions are part of the settings, and other rows come out', async () => {
    const extract = async (...more: string[]) => {
      const out = join(mkdtempSync(join(tmpdir(), 'rmac-regions-')), 'out');
      const args = ['--model', withProposals, '--images', set.images, '--out', out, '--size', '64', '--json', ...more];
      await runCommand(registerExtract, 'extract', ...args);
      const { settings } = JSON.parse(readFileSync(join(out, 'meta.json'), 'utf8')) as {
        settings: { regions: string };
      };
      return { rows: readFileSync(join(out, 'descriptors.npy')), regions: settings.regions };
    };
    const grid = await extract();
    const proposals = await extract('--regions', 'rpn:4');
    expect([grid.regions, proposals.regions]).toEqual(['grid', 'rpn:4']);
    expect(proposals.rows.length).toBe(grid.rows.length);
    expect(proposals.rows.equals(grid.rows)).toBe(false);
    expect((await extract('--regions', 'rpn:4')).rows.equals(proposals.rows)).toBe(true);
  });

  test('a model without proposals is named; descriptors and other poolings have no regions', async () => {
    await expect(evaluate(set.model, '--regions', 'rpn:4')).rejects.toThrow(InputError);
    await expect(evaluate(set.model, '--regions', 'rpn:4')).rejects.toThrow(
      `${set.model}: The model has no region proposals`,
    );
    await expect(evaluate(withProposals, '--regions', 'rpn:4', '--pooling', 'gem')).rejects.toThrow(UsageError);
    const args = [
      '--protocol',
      'labels',
      '--manifest',
      set.manifest,
      '--descriptors',
      set.folder,
      '--regions',
      'rpn:4',
    ];
    await expect(runCommand(registerEvaluate, 'evaluate', ...args)).rejects.toThrow('go with --model');
  });
});
