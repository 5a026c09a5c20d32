import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';
import { beforeAll, describe, expect, test } from 'vitest';
import { register } from '../../src/commands/evaluate.js';
import { InputError, UsageError } from '../../src/errors.js';
import { encodeNpy } from '../../src/data/npy.js';
import { corruptedParisImages } from '../../src/retrieval/protocols/corrupted-paris-images.js';
import { golden } from '../retrieval/protocols/golden.js';
import { runCommand } from './run-command.js';
import { makeSmallSet, type SmallSet } from './small-set.js';

interface Json {
  protocol: string;
  map: number;
  queries: { id: string; ap: number; landmark?: string }[];
  databaseSize: number;
  withoutPositives: string[];
  setting?: string;
  settings?: Record<string, { map: number; mpAt: Record<string, number>; queries: { id: string; ap: number }[] }>;
  nsScore?: number;
  recallAt4?: number;
  interval?: { low: number; high: number; unit: string; units: number };
  comparison?: { difference: number; p: number; queries: number };
}

let set: SmallSet;
beforeAll(async () => {
  set = await makeSmallSet();
});
const evaluate = (...argv: string[]) => runCommand(register, 'evaluate', ...argv);
const json = async (...argv: string[]): Promise<Json> => JSON.parse((await evaluate(...argv, '--json')).stdout);
const newFolder = (...parts: string[]) => {
  const folder = join(mkdtempSync(join(tmpdir(), 'rmac-benchmark-')), ...parts);
  mkdirSync(folder, { recursive: true });
  return folder;
};
const picture = (name: string) => join(set.images, `${name}.png`);
const model = () => ['--model', set.model, '--size', '64'];

/** Descriptors as rmac extract lays them out: each row one-hot by group, so that groups are found first. */
function descriptorFolder(groups: Readonly<Record<string, number>>, dimension = 8): string {
  const folder = newFolder();
  const ids = Object.keys(groups);
  const data = new Float32Array(ids.length * dimension);
  Object.values(groups).forEach((group, row) => data.set([1], row * dimension + group));
  writeFileSync(join(folder, 'descriptors.npy'), encodeNpy(data, [ids.length, dimension]));
  writeFileSync(join(folder, 'ids.txt'), ids.map((id) => `${id}\n`).join(''));
  return folder;
}

/** Oxford in small: three buildings of four photographs, one query each, of which the last has nothing right. */
function oxfordFolder(place = 'images', prefix = 'oxc1_'): string {
  const folder = newFolder();
  mkdirSync(join(folder, place), { recursive: true });
  mkdirSync(join(folder, 'gt'));
  for (const building of ['stripes', 'checks', 'rings']) {
    for (let i = 0; i < 4; i++)
      copyFileSync(picture(`${building}/${i}`), join(folder, place, `${building}_00000${i}.jpg`));
    const gt = (kind: string, text: string) => writeFileSync(join(folder, 'gt', `${building}_1_${kind}.txt`), text);
    gt('query', `${prefix}${building}_000000 2.5 1.0 60.0 62.0\n`);
    gt('good', building === 'rings' ? '' : `${building}_000000\n${building}_000001\n`);
    gt('ok', building === 'rings' ? '' : `${building}_000002\n`);
    gt('junk', `${building}_000003\n`);
  }
  return folder;
}

const oxfordGroups = Object.fromEntries(
  ['checks', 'rings', 'stripes'].flatMap((b, g) => [0, 1, 2, 3].map((i): [string, number] => [`${b}_00000${i}`, g])),
);
const oxfordQueries = { stripes_1: 2, checks_1: 1, rings_1: 1 };

describe('oxford5k and paris6k', () => {
  test('from images: the query is cropped and stays in the database, a query without positives is counted', async () => {
    const folder = oxfordFolder();
    const result = await json('--protocol', 'oxford5k', '--data', folder, ...model());
    expect(result).toMatchObject({ protocol: 'oxford5k', databaseSize: 12, withoutPositives: ['rings_1'] });
    expect(result.queries.map(({ id, landmark }) => [id, landmark])).toEqual([
      ['checks_1', 'checks'],
      ['stripes_1', 'stripes'],
    ]);
    expect(result.map).toBeGreaterThan(0);
    expect((await evaluate('--protocol', 'oxford5k', '--data', folder, ...model())).stderr).toMatch(
      /as published has 55 queries and 5063 database images, this one 3 and 12/,
    );
  });

  test('from descriptors: ids may have folders, extensions and oxc1_; without images they are the database', async () => {
    const named = Object.fromEntries(Object.entries(oxfordGroups).map(([id, g]) => [`a/oxc1_${id}.jpg`, g]));
    const queries = descriptorFolder(oxfordQueries);
    const gt = join(oxfordFolder(), 'gt');
    for (const where of [
      ['--data', oxfordFolder()],
      ['--groundtruth', gt],
      ['--data', gt],
    ]) {
      const argv = ['--protocol', 'oxford5k', ...where, '--descriptors', descriptorFolder(named), '--queries', queries];
      const { map, queries: scores } = await json(...argv);
      // stripes first: 3 positives at 0, 1, 2 and junk behind. checks query looks like rings: 4 wrong, ranks 4, 5, 6
      const ap = ((0 + 1 / 5) / 2 + (1 / 5 + 2 / 6) / 2 + (2 / 6 + 3 / 7) / 2) / 3;
      expect(scores.map(({ ap: value }) => value)).toEqual([expect.closeTo(ap, 12), 1]);
      expect(map).toBeCloseTo((1 + ap) / 2, 12);
    }
  });

  test('from ranked lists: one file a query, a line a query, JSON', async () => {
    const ranking = ['stripes_000003', 'checks_000000', 'stripes_000001', 'stripes_000000'];
    const lists = { stripes_1: ranking, checks_1: ['checks_000000.jpg'], rings_1: ['rings_000000'] };
    const folder = newFolder();
    for (const [id, names] of Object.entries(lists)) writeFileSync(join(folder, `${id}.rnk`), `${names.join('\n')}\n`);
    const text = join(newFolder(), 'ranks.txt');
    writeFileSync(
      text,
      Object.entries(lists)
        .map(([id, names]) => `${id} ${names.join(' ')}\n`)
        .join(''),
    );
    const file = join(newFolder(), 'ranks.json');
    writeFileSync(file, JSON.stringify(lists));
    for (const ranks of [folder, text, file]) {
      const { queries } = await json('--protocol', 'oxford5k', '--data', oxfordFolder(), '--ranks', ranks);
      // junk first takes no rank; then wrong, right, right of 3
      const ap = ((0 + 1 / 2) / 2 + (1 / 2 + 2 / 3) / 2) / 3;
      expect(queries.map(({ ap: value }) => value)).toEqual([expect.closeTo(1 / 3, 12), expect.closeTo(ap, 12)]);
    }
  });

  test('Paris: images in folders by place; the 20 broken ones are neither searched nor right', async () => {
    const folder = oxfordFolder('paris/general', 'paris_');
    const [broken] = corruptedParisImages;
    expect(corruptedParisImages.size).toBe(20);
    writeFileSync(join(folder, 'paris/general', `${broken}.jpg`), '');
    const gt = (name: string, text: string) => writeFileSync(join(folder, 'gt', name), text);
    for (const b of ['stripes', 'checks', 'rings']) {
      copyFileSync(picture(`${b}/3`), join(folder, 'paris/general', `paris_${b}_000000.jpg`));
    }
    gt('stripes_1_ok.txt', `stripes_000002\n${broken}\n`);
    const result = await json('--protocol', 'paris6k', '--data', folder, ...model());
    expect(result.databaseSize).toBe(15);
    const ranks = join(newFolder(), 'r.txt');
    writeFileSync(
      ranks,
      `stripes_1 ${broken} stripes_000000 stripes_000001 stripes_000002\nchecks_1 rings_000000\nrings_1 rings_000000\n`,
    );
    const { queries } = await json('--protocol', 'paris6k', '--data', folder, '--ranks', ranks);
    expect(queries.map(({ ap }) => ap)).toEqual([0, 1]);
  });

  test('distractors are searched, as images or as descriptors, and right for no query', async () => {
    const folder = oxfordFolder();
    const distractors = newFolder();
    copyFileSync(picture('rings/0'), join(distractors, 'stripes_000000.jpg')); // same name, other image
    const base = ['--protocol', 'oxford5k', '--data', folder];
    expect(await json(...base, ...model(), '--distractors', distractors)).toMatchObject({ databaseSize: 13 });
    const descriptors = descriptorFolder({ x: 2, stripes_000000: 2 });
    const argv = [
      ...base,
      '--descriptors',
      descriptorFolder(oxfordGroups),
      '--queries',
      descriptorFolder(oxfordQueries),
    ];
    const without = await json(...argv);
    const result = await json(...argv, '--distractors', descriptors);
    expect(result.databaseSize).toBe(14);
    expect(result.queries[1].ap).toBe(without.queries[1].ap); // equal similarity: the database comes first
    await expect(evaluate(...argv, '--distractors', distractors)).rejects.toThrow(/no descriptors\.npy/);
    await expect(evaluate(...argv, '--distractors', descriptorFolder({ x: 0 }, 4))).rejects.toThrow(
      /of 4 values.* of 8/,
    );
  });

  test('a broken ground truth is one clear error each', async () => {
    const broken = async (file: string, text: string | undefined, message: RegExp) => {
      const folder = oxfordFolder();
      if (text !== undefined) writeFileSync(join(folder, 'gt', file), text);
      const running = evaluate('--protocol', 'oxford5k', '--data', folder, ...model());
      await expect(running).rejects.toThrow(InputError);
      await expect(running).rejects.toThrow(message);
    };
    await broken('stripes_1_good.txt', 'nowhere_000001\n', /names 1 images that are not there \(nowhere_000001\)/);
    await broken(
      'stripes_1_query.txt',
      'oxc1_stripes_000000 1 2 3\n',
      /stripes_1_query\.txt: expected an image and its box/,
    );
    await broken('stripes_1_query.txt', 'oxc1_stripes_000000 9 2 3 4\n', /expected an image and its box/);
    await broken(
      'stripes_1_query.txt',
      'oxc1_stripes_000000 100 0 200 20\n',
      /"stripes_1": its box 100 0 200 20 .* outside of .*64x48 px/,
    );
    await broken('stripes_1_junk.txt', 'stripes_000001\n', /stripes_000001 is good or ok as well/);
    await broken('stripes_1_ok.txt', 'stripes_000001 7\n', /one image name a line/);
    await broken('extra_1_query.txt', 'stripes_000001 0 0 9 9\n', /Cannot read ground truth .*extra_1_good\.txt/);
    const twice = oxfordFolder();
    mkdirSync(join(twice, 'images', 'again'));
    copyFileSync(picture('rings/0'), join(twice, 'images', 'again', 'rings_000000.png'));
    await expect(evaluate('--protocol', 'oxford5k', '--data', twice, ...model())).rejects.toThrow(
      /have the same name "rings_000000"/,
    );
    const empty = oxfordFolder();
    for (const b of ['stripes', 'checks']) {
      for (const kind of ['good', 'ok']) writeFileSync(join(empty, 'gt', `${b}_1_${kind}.txt`), '');
    }
    await expect(evaluate('--protocol', 'oxford5k', '--data', empty, ...model())).rejects.toThrow(
      /no query has positives/,
    );
    await expect(evaluate('--protocol', 'oxford5k', '--data', newFolder(), ...model())).rejects.toThrow(
      /no \*_query\.txt/,
    );
  });

  test('descriptors that do not fit', async () => {
    const base = ['--protocol', 'oxford5k', '--data', oxfordFolder()];
    const database = descriptorFolder(oxfordGroups);
    const { stripes_000000: _, ...less } = oxfordGroups;
    await expect(evaluate(...base, '--descriptors', descriptorFolder(less))).rejects.toThrow(
      /1 of 12 database images \(stripes_000000\)/,
    );
    await expect(evaluate(...base, '--descriptors', database)).rejects.toThrow(/3 of 3 queries .* needs --queries DIR/);
    const other = descriptorFolder(oxfordQueries, 4);
    await expect(evaluate(...base, '--descriptors', database, '--queries', other)).rejects.toThrow(/of 4 values/);
    const twice = descriptorFolder({ 'a/stripes_000000': 1, 'b/stripes_000000': 1 });
    await expect(evaluate(...base, '--descriptors', twice)).rejects.toThrow(/are both the image "stripes_000000"/);
    const wrong = descriptorFolder(oxfordGroups);
    writeFileSync(join(wrong, 'descriptors.npy'), encodeNpy(new Float32Array(12 * 8).fill(Number.NaN), [12, 8]));
    await expect(evaluate(...base, '--descriptors', wrong)).rejects.toThrow(/row 0 .* NaN/);
  });

  test('ranked lists of an unknown database: what is not in the ground truth is wrong', async () => {
    const file = join(newFolder(), 'r.txt');
    writeFileSync(file, 'stripes_1 elsewhere stripes_000000\nchecks_1 checks_000001\nrings_1 rings_000000\n');
    const gt = join(oxfordFolder(), 'gt');
    const { queries } = await json('--protocol', 'oxford5k', '--groundtruth', gt, '--ranks', file);
    expect(queries.map(({ ap }) => ap)).toEqual([expect.closeTo(1 / 3, 12), expect.closeTo((0 + 1 / 2) / 2 / 3, 12)]);
  });

  test('ranked lists that do not fit', async () => {
    const ranked = async (text: string, message: RegExp) => {
      const file = join(newFolder(), 'r.txt');
      writeFileSync(file, text);
      await expect(evaluate('--protocol', 'oxford5k', '--data', oxfordFolder(), '--ranks', file)).rejects.toThrow(
        message,
      );
    };
    const rest = 'checks_1 rings_000000\nrings_1 rings_000000\n';
    await ranked(`stripes_1 unknown\n${rest}`, /"stripes_1" names "unknown", which the database does not have/);
    await ranked(`stripes_1 rings_000000 rings_000000\n${rest}`, /names "rings_000000" twice/);
    await ranked(rest, /nothing for 1 of 3 queries \(stripes_1\)/);
    await ranked(`${rest}${rest}`, /r\.txt:3: query "checks_1" has a second ranking/);
    await ranked('\n', /has no rankings/);
  });
});

describe('roxford5k and rparis6k', () => {
  const fixture = (name: string) => fileURLToPath(new URL(`../golden/gnd/${name}`, import.meta.url));

  test('rankings as revisitop writes them, from a gnd file of any kind: the reference figures', async () => {
    const { settings } = golden.revisited[0];
    for (const name of ['lists.pkl', 'arrays.pkl', 'plain.mat', 'lists.json']) {
      const argv = ['--protocol', 'roxford5k', '--groundtruth', fixture(name), '--ranks', fixture('ranks.npy')];
      const result = await json(...argv, '--bootstrap', '500');
      expect(result.setting).toBe('medium');
      expect(result.map).toBeCloseTo(settings.medium.map!, 9);
      for (const key of ['easy', 'medium', 'hard'] as const) {
        expect(result.settings![key].map).toBeCloseTo(settings[key].map!, 9);
        for (const k of ['1', '5', '10']) expect(result.settings![key].mpAt[k]).toBeCloseTo(settings[key].mpAt![k], 9);
      }
      expect(result.interval!.low).toBeLessThan(result.map);
      expect(result.interval!.high).toBeGreaterThan(result.map);
    }
  });

  test('from images: boxes from 0, queries not in the database', async () => {
    const folder = newFolder();
    mkdirSync(join(folder, 'jpg'));
    const imlist = ['stripes', 'checks'].flatMap((b) => [1, 2, 3].map((i) => `${b}_${i}`));
    for (const id of [...imlist, 'stripes_0', 'checks_0'])
      copyFileSync(picture(id.replace('_', '/')), join(folder, 'jpg', `${id}.jpg`));
    const gnd = [
      { bbx: [0, 0, 60, 60], easy: [0], hard: [1], junk: [2] },
      { bbx: [0, 0, 64, 64], easy: [3, 4], hard: [], junk: [5] },
    ];
    writeFileSync(
      join(folder, 'gnd_rparis6k.json'),
      JSON.stringify({ imlist, qimlist: ['stripes_0', 'checks_0'], gnd }),
    );
    const result = await json('--protocol', 'rparis6k', '--data', folder, ...model());
    expect(result.databaseSize).toBe(6);
    expect(result.settings!.hard.queries.map(({ id }) => id)).toEqual(['stripes_0']);
    const { stdout } = await evaluate('--protocol', 'rparis6k', '--data', folder, ...model());
    expect(stdout).toMatch(/^hard +mAP [01]\.\d{4}, mP@1\/5\/10 ([01]\.\d{4} ){2}[01]\.\d{4}, 1 queries$/m);
    const absent = join(folder, 'jpg', 'checks_3.jpg');
    writeFileSync(absent.replace('checks_3', 'checks_4'), readFileSync(absent));
    writeFileSync(
      join(folder, 'gnd_rparis6k.json'),
      JSON.stringify({ imlist: ['no'], qimlist: ['stripes_0'], gnd: [{ easy: [0] }] }),
    );
    await expect(evaluate('--protocol', 'rparis6k', '--data', folder, ...model())).rejects.toThrow(/not there \(no\)/);
  });
});

describe('holidays', () => {
  const groups = { '100000': 0, '100001': 0, '100002': 0, '100100': 1, '100101': 1, '100102': 1 };
  const names = Object.keys(groups);

  test('from descriptors alone, by names: 1490 and 991', async () => {
    const descriptors = descriptorFolder(
      Object.fromEntries(Object.entries(groups).map(([id, g]) => [`jpg/${id}.jpg`, g])),
    );
    expect(await json('--protocol', 'holidays', '--descriptors', descriptors)).toMatchObject({
      map: 1,
      databaseSize: 6,
    });
    const small = await json('--protocol', 'holidays-991', '--descriptors', descriptors);
    expect(small).toMatchObject({ map: 1, databaseSize: 4 });
    expect(small.queries.map(({ id }) => id)).toEqual(['100000', '100100']);
  });

  test('ranked lists of its program: "query rank name rank name", in any order of ranks', async () => {
    const file = join(newFolder(), 'r.dat');
    writeFileSync(
      file,
      '100000.jpg 0 100101.jpg 2 100002.jpg 1 100001.jpg 3 100102.jpg\n100100.jpg 0 100100.jpg 1 100101.jpg 2 100102.jpg 3 100001.jpg 4 100002.jpg\n',
    );
    const { queries } = await json('--protocol', 'holidays', '--ranks', file);
    expect(queries.map(({ ap }) => ap)).toEqual([expect.closeTo(((0 + 1 / 2) / 2 + (1 / 2 + 2 / 3) / 2) / 2, 12), 1]);
  });

  test('lists that end early need the images: what no list names would be missed by all', async () => {
    const file = join(newFolder(), 'r.txt');
    writeFileSync(file, '100000 100001 100101\n100100 100101\n');
    await expect(evaluate('--protocol', 'holidays', '--ranks', file)).rejects.toThrow(/"100100" lacks 1 .*\(100001\)/);
  });

  test('images on their side are turned by a list or replaced by a folder', async () => {
    const data = newFolder();
    const upright = newFolder();
    mkdirSync(join(data, 'jpg'));
    for (const [i, id] of names.entries()) {
      const source = picture(`${i < 3 ? 'stripes' : 'checks'}/${i % 3}`);
      await sharp(source)
        .resize(64, 48, { fit: 'fill' })
        .toFile(join(upright, `${id}.png`));
      await sharp(join(upright, `${id}.png`))
        .rotate(id === '100001' ? 270 : 0)
        .toFile(join(data, 'jpg', `${id}.png`));
    }
    const list = join(newFolder(), 'turns.txt');
    writeFileSync(list, '# clockwise\n100001.jpg 90\n100002.jpg, 0\n');
    const run = (...argv: string[]) => json('--protocol', 'holidays', '--data', data, ...model(), ...argv);
    const turned = await run('--upright', list);
    expect(turned).toEqual(await run('--upright', upright));
    expect(turned.map).not.toBe((await run()).map);
    writeFileSync(list, '100001.jpg 45\n');
    await expect(run('--upright', list)).rejects.toThrow(/turns\.txt:1: expected an image and degrees/);
    writeFileSync(list, '100009.jpg 90\n');
    await expect(run('--upright', list)).rejects.toThrow(/not in the benchmark \(100009\)/);
  });

  test('a group without its query, and names that are no numbers', async () => {
    const argv = (ids: Record<string, number>) => ['--protocol', 'holidays', '--descriptors', descriptorFolder(ids)];
    await expect(evaluate(...argv({ '100001': 0, '100100': 0 }))).rejects.toThrow(
      /group 1000 has no query image 100000/,
    );
    await expect(evaluate(...argv({ beach: 0 }))).rejects.toThrow(/not beach/);
  });
});

describe('ukbench', () => {
  test('the N-S score: own image counts, four at most', async () => {
    const named = Object.fromEntries(
      Array.from({ length: 12 }, (_, i): [string, number] => [
        `ukbench${String(i).padStart(5, '0')}`,
        i === 11 ? 1 : Math.floor(i / 4),
      ]),
    );
    const result = await json('--protocol', 'ukbench', '--descriptors', descriptorFolder(named));
    // group 2 has three that find each other and the first of the rest; the last finds group 1's first three and itself
    // 0-3: 4 each; 4-7 share a value with 11: ranks by order, so 4 each; 8-10: 3 of 4; 11: its value is group 1's
    expect(result.nsScore).toBeCloseTo((4 * 4 + 4 * 4 + 3 * 3 + 0) / 12, 12);
    expect(result.recallAt4).toBeCloseTo(result.nsScore! / 4, 12);
    const firsts = await json('--protocol', 'ukbench-2550', '--descriptors', descriptorFolder(named));
    expect(firsts.nsScore).toBeCloseTo((4 + 4 + 3) / 3, 12);
    const { ukbench00003: _, ...less } = named;
    await expect(evaluate('--protocol', 'ukbench', '--descriptors', descriptorFolder(less))).rejects.toThrow(
      /group 0 has 3 images/,
    );
  });
});

describe('uncertainty, comparison and report', () => {
  const argv = () => ['--protocol', 'labels', '--manifest', set.manifest, ...model()];

  test('--against tests the difference on the same queries; --report writes a page', async () => {
    const first = await json(...argv());
    const file = join(newFolder(), 'first.json');
    writeFileSync(file, JSON.stringify(first));
    const same = await json(...argv(), '--against', file);
    expect(same.comparison).toMatchObject({ difference: 0, p: 1, queries: 12 });
    const another = await evaluate(...argv(), '--size', '48', '--against', file);
    expect(another.stderr).toMatch(
      /first\.json was measured at .*, this at 48 px: the difference is of the sizes, too/,
    );
    const worse = { queries: first.queries.map((query) => ({ ...query, ap: query.ap / 2 })) };
    writeFileSync(file, JSON.stringify(worse));
    const report = join(newFolder(), 'report.html');
    const { stdout } = await evaluate(...argv(), '--against', file, '--bootstrap', '200', '--report', report);
    expect(stdout).toMatch(
      /^difference +\+0\.\d{4} \(0\.\d{4} to 0\.\d{4}\) to .*first\.json, not tested: 3 landmarks are too few/m,
    );
    expect(stdout).toMatch(/^interval +0\.\d{4} to [01]\.\d{4}, 95 % of 200 resamples of 3 landmarks$/m);
    expect(readFileSync(report, 'utf8')).toMatch(/Every query.*stripes\/0/s);
    await expect(evaluate(...argv(), '--report', report)).rejects.toThrow(/--overwrite/);
    writeFileSync(file, '{"queries":[{"id":"other","ap":1}]}');
    await expect(evaluate(...argv(), '--against', file)).rejects.toThrow(/no query of this evaluation/);
    writeFileSync(file, '[]');
    await expect(evaluate(...argv(), '--against', file)).rejects.toThrow(/is not what rmac evaluate --json prints/);
  });

  test('wrong usage says which flag', async () => {
    const usage = async (message: RegExp, ...flags: string[]) => {
      const running = evaluate(...flags);
      await expect(running).rejects.toThrow(UsageError);
      await expect(running).rejects.toThrow(message);
    };
    await usage(/with images needs --data/, '--protocol', 'oxford5k', '--groundtruth', 'gt', '--model', 'm');
    await usage(/no manifest/, '--protocol', 'oxford5k', '--manifest', 'm', '--model', 'm');
    await usage(
      /needs --data DIR or --groundtruth/,
      '--protocol',
      'rparis6k',
      '--descriptors',
      descriptorFolder({ a: 0 }),
    );
    await usage(
      /--upright is for Holidays/,
      '--protocol',
      'oxford5k',
      '--data',
      oxfordFolder(),
      '--upright',
      'x',
      '--descriptors',
      descriptorFolder(oxfordGroups),
    );
    await usage(
      /--distractors, --qe and --dba go with/,
      '--protocol',
      'holidays',
      '--ranks',
      'r',
      '--distractors',
      'd',
    );
    await usage(
      /drop --groundtruth/,
      '--protocol',
      'holidays',
      '--groundtruth',
      'g',
      '--descriptors',
      descriptorFolder({ '100000': 0 }),
    );
    expect(existsSync('r')).toBe(false);
  });
});
