import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { CommanderError } from 'commander';
import { beforeAll, describe, expect, test } from 'vitest';
import { integerList, register } from '../../src/commands/evaluate.js';
import { register as registerExtract } from '../../src/commands/extract.js';
import { InputError, UsageError } from '../../src/errors.js';
import { runCommand } from './run-command.js';
import { makeSmallSet, type SmallSet } from './small-set.js';

let set: SmallSet;
let descriptors: string;
beforeAll(async () => {
  set = await makeSmallSet();
  descriptors = join(set.folder, 'descriptors');
  const paths = ['--model', set.model, '--images', set.manifest, '--out', descriptors];
  await runCommand(registerExtract, 'extract', ...paths, '--size', '64');
});

const evaluate = (...argv: string[]) => runCommand(register, 'evaluate', ...argv);
const labels = () => ['--protocol', 'labels', '--manifest', set.manifest];
const groundTruth = (file = set.groundTruth) => ['--protocol', 'groundtruth', '--groundtruth', file];
/** The set's ground truth after `change`, beside the images. */
function changedTruth(name: string, change: (truth: { queries: Record<string, unknown>[] }) => void): string {
  const truth: { queries: Record<string, unknown>[] } = JSON.parse(readFileSync(set.groundTruth, 'utf8'));
  change(truth);
  const file = join(set.images, name);
  writeFileSync(file, JSON.stringify(truth));
  return file;
}

describe('rmac evaluate', () => {
  test('the same figures from a model and from its descriptors, by labels and by the same ground truth', async () => {
    const json = async (...argv: string[]): Promise<Record<string, unknown>> =>
      JSON.parse((await evaluate(...argv, '--json')).stdout);
    const { imageSize, ...byModel } = await json(...labels(), '--model', set.model, '--size', '64');
    expect(imageSize).toBe('64 px'); // descriptors do not know theirs
    expect(byModel).toMatchObject({ protocol: 'labels', ap: 'trapezoid', databaseSize: 12, withoutPositives: [] });
    expect(byModel.queries).toHaveLength(12);
    expect(byModel.map).toBe(byModel.mapTrapezoid);
    expect(byModel.map).toBeGreaterThan(1 / 3); // three textures; chance is about .3
    expect(byModel.map).toBeLessThanOrEqual(1);
    expect(await json(...labels(), '--descriptors', descriptors)).toEqual(byModel);
    const byTruth = await json(...groundTruth(), '--descriptors', descriptors);
    expect(byTruth).toEqual({ ...byModel, protocol: 'groundtruth' });
    const finite = await json(...labels(), '--descriptors', descriptors, '--ap', 'finite-sum');
    expect(finite.map).toBe(byModel.mapFiniteSum);
  });

  test('a ground truth or manifest beside its images needs the folder that both are in', async () => {
    const lists = join(set.folder, 'lists');
    mkdirSync(lists);
    const beside = (file: string, key: string) => {
      const copy = join(lists, basename(file));
      writeFileSync(copy, readFileSync(file, 'utf8').replaceAll(`"${key}":"`, `"${key}":"../images/`));
      return copy;
    };
    const options = ['--model', set.model, '--size', '64', '--json'];
    const json = async (...argv: string[]) => JSON.parse((await evaluate(...argv, ...options)).stdout) as object;
    const figures = await json(...groundTruth());
    for (const from of [
      groundTruth(beside(set.groundTruth, 'image')),
      ['--protocol', 'labels', '--manifest', beside(set.manifest, 'path')],
    ]) {
      await expect(evaluate(...from, ...options)).rejects.toThrow(
        /the image path "..\/images\/stripes\/0.png" leads out of the file's folder; .*--image-root/,
      );
      expect(await json(...from, '--image-root', set.folder)).toEqual({ ...figures, protocol: from[1] });
    }
  });

  test('an .npy file alone: rows in the order of the ground truth, of its database and its queries', async () => {
    const alone = join(set.folder, 'alone.npy');
    copyFileSync(join(descriptors, 'descriptors.npy'), alone);
    const json = async (...argv: string[]) => JSON.parse((await evaluate(...argv, '--json')).stdout) as object;
    const whole = await json(...labels(), '--descriptors', descriptors);
    expect(await json(...labels(), '--descriptors', alone)).toEqual(whole);
    expect(await json(...labels(), '--descriptors', alone, '--queries', alone)).toEqual(whole);
    // the file of a folder goes by the folder's ids, whatever the order of the ground truth is
    const turned = changedTruth('turned.json', (truth) => {
      Object.assign(truth, { database: (truth as unknown as { database: object[] }).database.toReversed() });
    });
    const byIds = await json(...groundTruth(turned), '--descriptors', descriptors);
    expect(await json(...groundTruth(turned), '--descriptors', join(descriptors, 'descriptors.npy'))).toEqual(byIds);
    expect(await json(...groundTruth(turned), '--descriptors', alone)).not.toEqual(byIds);
    const short = changedTruth('short.json', (truth) => {
      Object.assign(truth, { queries: truth.queries.slice(0, 5) });
    });
    await expect(evaluate(...groundTruth(short), '--descriptors', alone, '--queries', alone)).rejects.toThrow(
      /alone\.npy: 12 rows, the ground truth has 5 images; .*in its order/,
    );
  });

  test('the table, and the AP of every query on request', async () => {
    const { stdout } = await evaluate(...labels(), '--descriptors', descriptors, '--per-query', '--recall', '1,3');
    expect(stdout).toMatch(/^queries +12 scored, 0 without positives$/m);
    expect(stdout).toMatch(/^mAP +[01]\.\d{4} trapezoid, [01]\.\d{4} finite sum$/m);
    expect(stdout).toMatch(/^macro mAP +[01]\.\d{4} trapezoid, over 3 landmarks$/m);
    expect(stdout).toMatch(/^recall@1\/3 +[01]\.\d{4} [01]\.\d{4}$/m);
    expect(stdout.match(/^[01]\.\d{4} {2}(stripes|checks|rings)\/\d$/gm)).toHaveLength(12);
  });

  test('a query with a box is described on its own; with descriptors it needs --queries', async () => {
    const file = changedTruth('boxed.json', ({ queries }) => {
      Object.assign(queries[0], { id: 'crop', box: { x: 0, y: 0, width: 32, height: 32 } });
    });
    const { stdout } = await evaluate(...groundTruth(file), '--model', set.model, '--size', '64', '--json');
    expect(stdout).toContain('"id":"crop"');
    await expect(evaluate(...groundTruth(file), '--descriptors', descriptors)).rejects.toThrow(
      /\(crop\).*--queries DIR/,
    );

    const manifest = join(set.images, 'queries.jsonl');
    const box = { x: 0, y: 0, width: 32, height: 32 };
    writeFileSync(manifest, JSON.stringify({ id: 'crop', path: 'stripes/0.png', landmark: 'stripes', box }));
    const queries = join(mkdtempSync(join(tmpdir(), 'rmac-q-')), 'q');
    // 32 of 64 px at size 64: the crop's own size
    const paths = ['--model', set.model, '--images', manifest, '--out', queries];
    await runCommand(registerExtract, 'extract', ...paths, '--crop', '--size', '32');
    const both = await evaluate(...groundTruth(file), '--descriptors', descriptors, '--queries', queries, '--json');
    const { map: looked }: { map: number } = JSON.parse(both.stdout);
    const { map }: { map: number } = JSON.parse(stdout);
    expect(looked).toBeCloseTo(map, 10);
  });

  test('queries without positives are counted; if there are only such, it is an error', async () => {
    const one = changedTruth('one.json', ({ queries }) => Object.assign(queries[0], { positives: [] }));
    const { stdout } = await evaluate(...groundTruth(one), '--descriptors', descriptors, '--json');
    const result: { withoutPositives: string[]; queries: unknown[] } = JSON.parse(stdout);
    expect(result.withoutPositives).toEqual(['stripes/0']);
    expect(result.queries).toHaveLength(11);
    const none = changedTruth('none.json', ({ queries }) => {
      for (const query of queries) query.positives = [];
    });
    await expect(evaluate(...groundTruth(none), '--descriptors', descriptors)).rejects.toThrow(
      /no query has positives/,
    );
  });

  test('a database image that cannot be read is named and counts as never found', async () => {
    const file = changedTruth('gone.json', (truth) => {
      Object.assign(truth, {
        database: (JSON.parse(JSON.stringify(truth)).database as { id: string; image: string }[]).map((entry) =>
          entry.id === 'stripes/1' ? { ...entry, image: 'gone.png' } : entry,
        ),
      });
    });
    const { stdout, stderr } = await evaluate(...groundTruth(file), '--model', set.model, '--size', '64', '--json');
    expect(stderr).toMatch(/skipped stripes\/1: .*gone\.png/);
    expect(JSON.parse(stdout)).toMatchObject({ missingFromDatabase: ['stripes/1'], databaseSize: 11 });
  });

  test('query expansion and database augmentation, from a model and from its descriptors', async () => {
    const json = async (...argv: string[]): Promise<Record<string, unknown>> =>
      JSON.parse((await evaluate(...argv, '--json')).stdout);
    const expansion = ['--dba', 'gordo:3', '--qe', 'alpha:3:2'];
    const plain = await json(...labels(), '--descriptors', descriptors);
    expect(plain).not.toHaveProperty('qe');
    const expanded = await json(...labels(), '--descriptors', descriptors, ...expansion);
    expect(expanded).toMatchObject({ qe: 'alpha:3:2', dba: 'gordo:3' });
    expect(expanded.map).not.toBe(plain.map);
    const byModel = await json(...labels(), '--model', set.model, '--size', '64', ...expansion);
    expect(byModel).toEqual({ ...expanded, imageSize: '64 px' });
    const { stdout } = await evaluate(...labels(), '--descriptors', descriptors, '--qe', 'aqe:2', '--dba', 'gordo:3');
    expect(stdout).toMatch(/^query expansion +aqe:2\naugmentation +gordo:3$/m);
    await expect(evaluate(...labels(), '--descriptors', descriptors, '--qe', 'aqe:12')).rejects.toThrow(
      /--qe: 12 neighbours asked, the database has 11 other/,
    );
  });

  test('wrong usage says which flag', async () => {
    await expect(evaluate('--protocol', 'oxford')).rejects.toThrow(CommanderError);
    await expect(evaluate('--manifest', set.manifest)).rejects.toThrow(CommanderError);
    const usage = async (message: RegExp, ...argv: string[]) => {
      const running = evaluate(...argv);
      await expect(running).rejects.toThrow(UsageError);
      await expect(running).rejects.toThrow(message);
    };
    await usage(/labels needs --manifest/, '--protocol', 'labels', '--model', set.model);
    await usage(/groundtruth needs --groundtruth/, '--protocol', 'groundtruth', '--manifest', set.manifest);
    await usage(/takes --manifest only/, ...labels(), '--groundtruth', set.groundTruth);
    await usage(/--image-root is for/, '--protocol', 'oxford5k', '--descriptors', descriptors, '--image-root', '/');
    await usage(/either --model FILE or --preset NAME/, ...labels());
    await usage(/either --model/, ...labels(), '--model', set.model, '--descriptors', descriptors);
    await usage(/--queries goes with/, ...labels(), '--model', set.model, '--queries', descriptors);
    const from = [...labels(), '--descriptors', descriptors];
    for (const qe of ['10', 'aqe', 'aqe:0', 'aqe:1.5', 'alpha:3', 'alpha:-1:5', 'gordo:5', 'alpha:3:5:6']) {
      await usage(/--qe: expected aqe:K .* or alpha:A:K/, ...from, '--qe', qe);
    }
    await usage(/--dba: expected gordo:K .* or alpha:A:K .* got "aqe:5"/, ...from, '--dba', 'aqe:5');
    await usage(/go with --model/, ...labels(), '--descriptors', descriptors, '--size', '64');
  });

  test('missing files', async () => {
    await expect(evaluate(...groundTruth('/none.json'), '--model', set.model)).rejects.toThrow(InputError);
    await expect(evaluate(...labels(), '--descriptors', join(set.folder, 'none'))).rejects.toThrow(InputError);
    await expect(evaluate(...labels(), '--model', join(set.folder, 'none'))).rejects.toThrow(InputError);
  });
});

test('integerList', () => {
  expect(integerList('10,1,5,1')).toEqual([1, 5, 10]);
  for (const text of ['', '0', '1,', 'a', '1.5']) expect(() => integerList(text)).toThrow(UsageError);
});
