import { writeFileSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { register } from '../../src/commands/evaluate.js';
import { localizationOption, rerankOption } from '../../src/commands/rerank-option.js';
import { UsageError } from '../../src/errors.js';
import { runCommand } from './run-command.js';
import { makeSmallSet, type SmallSet } from './small-set.js';

let set: SmallSet;
beforeAll(async () => {
  set = await makeSmallSet();
});

const run = (...more: string[]) =>
  runCommand(register, 'evaluate', '--protocol', 'labels', '--manifest', set.manifest, ...more);
const evaluate = async (...more: string[]) =>
  JSON.parse((await run('--model', set.model, '--size', '64', '--json', ...more)).stdout) as {
    map: number;
    rerank?: unknown;
    unrelated?: object;
    queries: { ap: number }[];
  };

describe('--rerank', () => {
  test('every kind gives a ranking of its own; one image re-ranked is none', async () => {
    // re-ranked similarities are of two kinds: they have no one scale
    const { unrelated: _, ...plain } = await evaluate();
    expect(plain.rerank).toBeUndefined();
    const one = await evaluate('--rerank', 'aml:1');
    expect(one).toEqual({ ...plain, rerank: { kind: 'aml', depth: 1, localizedQe: 0 } });
    const found = [
      await evaluate('--rerank', 'aml'),
      await evaluate('--rerank', 'aml-rmac'),
      await evaluate('--rerank', 'aml-rmac:8', '--localized-qe', '2'),
      await evaluate('--rerank', 'cross-match'),
    ];
    for (const { map, queries } of found) {
      expect(queries).toHaveLength(12);
      expect(map).toBeGreaterThan(1 / 3); // three textures; chance is about .3
    }
    const settings = ['--localization', 't=1,s=4,alpha=2,read=levels,maxima=exact'];
    const changed = await evaluate('--rerank', 'aml', ...settings);
    expect(changed.rerank).toEqual({
      kind: 'aml',
      depth: 1000,
      localizedQe: 0,
      step: 1,
      aspectBound: 4,
      alpha: 2,
      read: 'levels',
      maxima: 'exact',
    });
    expect(changed.queries).not.toEqual(found[0].queries);
    expect(new Set([plain, ...found].map(({ queries }) => JSON.stringify(queries))).size).toBeGreaterThan(3);
    expect(found[2].rerank).toEqual({ kind: 'aml-rmac', depth: 8, localizedQe: 2 });
  });

  test('mAP against the length of the shortlist: that of each length alone, as text and as a picture', async () => {
    const report = join(set.images, 'rerank.html');
    const json = (await evaluate('--rerank', 'aml:8,2,4', '--report', report)) as unknown as {
      map: number;
      rerank: { depth: number; curve: [number, number][] };
    };
    const alone = [(await evaluate()).map];
    for (const depth of [2, 4, 8]) alone.push((await evaluate('--rerank', `aml:${depth}`)).map);
    expect(json.rerank.curve).toEqual([0, 2, 4, 8].map((depth, i) => [depth, alone[i]]));
    expect(json).toMatchObject({ map: alone[3], rerank: { depth: 8, depths: [2, 4, 8] } });
    expect(readFileSync(report, 'utf8')).toMatch(
      /mAP by the length of the shortlist.*<figure class="chart"><svg .*images re-ranked/s,
    );
    const { stdout } = await run('--model', set.model, '--size', '64', '--rerank', 'aml:2,4');
    expect(stdout).toMatch(/^mAP by length +0: \d\.\d{4}, 2: \d\.\d{4}, 4: \d\.\d{4}$/m);
  });

  test('a query with a box is localised by its crop, on any pooling for aml', async () => {
    const truth = JSON.parse(readFileSync(set.groundTruth, 'utf8')) as { queries: Record<string, unknown>[] };
    Object.assign(truth.queries[0], { id: 'crop', box: { x: 0, y: 0, width: 32, height: 32 } });
    const file = join(set.images, 'boxed.json');
    writeFileSync(file, JSON.stringify(truth));
    const source = ['--protocol', 'groundtruth', '--groundtruth', file, '--model', set.model, '--size', '64'];
    const flags = ['--pooling', 'gem', '--rerank', 'aml:5', '--localized-qe', '1'];
    const { stdout } = await runCommand(register, 'evaluate', ...source, ...flags);
    expect(stdout).toMatch(/^re-ranked +the first 5 by aml, expanded by the best 1$/m);
    expect(stdout).toMatch(/^queries +12 scored/m);
  });

  test('what it takes', () => {
    expect(rerankOption('aml')).toEqual({ kind: 'aml', depth: 1000 });
    expect(rerankOption('cross-match:20')).toEqual({ kind: 'cross-match', depth: 20 });
    for (const wrong of ['', 'AML', 'aml:', 'aml:0', 'aml:1.5', 'aml:2,', 'aml:2,0', 'aml:2:3', 'aml-qe']) {
      expect(() => rerankOption(wrong)).toThrow(UsageError);
    }
  });

  test('what --localization takes', () => {
    expect(localizationOption('t=2')).toEqual({ step: 2 });
    expect(localizationOption('s=1.5,alpha=1,maxima=integral')).toEqual({
      aspectBound: 1.5,
      alpha: 1,
      maxima: 'integral',
    });
    for (const wrong of [
      '',
      't',
      't=',
      't=0',
      't=1.5',
      's=.9',
      'alpha=0',
      'read=toString',
      'maxima=',
      't=1=2',
      'r=3',
    ]) {
      expect(() => localizationOption(wrong)).toThrow(UsageError);
    }
  });

  test('wrong usage says which flag', async () => {
    const usage = async (message: RegExp, ...argv: string[]) => {
      const running = run(...argv);
      await expect(running).rejects.toThrow(UsageError);
      await expect(running).rejects.toThrow(message);
    };
    await usage(/--rerank.*--model, not with --descriptors/, '--descriptors', set.folder, '--rerank', 'aml');
    await usage(/--localization goes with --rerank/, '--model', set.model, '--localization', 't=1');
    await usage(/--localized-qe goes with --rerank/, '--model', set.model, '--localized-qe', '5');
    await usage(/--localized-qe/, '--model', set.model, '--rerank', 'cross-match', '--localized-qe', '5');
    await usage(/--regions grid/, '--model', set.model, '--rerank', 'aml', '--regions', 'rpn:4');
    await usage(/use --pooling rmac/, '--model', set.model, '--pooling', 'mac', '--rerank', 'aml-rmac');
  });
});
