import '../support/engine.js';
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { beforeEach, expect, test } from 'vitest';
import { columnOption, register } from '../../src/commands/index-collection.js';
import { register as registerSearch } from '../../src/commands/search.js';
import { openStore } from '../../src/collection/open-store.js';
import { addToIndex, buildIndex, type IndexUpdateResult, removeFromIndex } from '../../src/stages/index-update.js';
import { verdictOf } from '../../src/stages/search-report.js';
import { indexInfo } from '../../src/stages/collection-info.js';
import { openCollection } from '../../src/stages/search.js';
import { runCommand } from '../commands/run-command.js';
import { makeSmallSet, type SmallSet } from '../commands/small-set.js';
import { smallModelParts } from '../support/small-model.js';
import { writeModelFile } from '../../src/data/model-file.js';

const root = resolve(import.meta.dirname, '../..');
let set: SmallSet;
let index: string;

beforeEach(async () => {
  set = await makeSmallSet();
  index = join(set.folder, 'index');
});

const build = (source = set.images) => buildIndex({ source, model: set.model, out: index, size: 64 });
const counts = ({ photographs, added, changed, unchanged, removed, described }: IndexUpdateResult) => ({
  photographs,
  added,
  changed,
  unchanged,
  removed,
  described,
});
const nothing = { added: 0, changed: 0, unchanged: 0, removed: 0, described: 0 };
const contents = () =>
  readdirSync(index)
    .toSorted()
    .map((name) => [name, readFileSync(join(index, name), 'base64')]);

test('build: all photographs; again: none; what is new, has changed or is gone is all that costs', async () => {
  expect(counts(await build())).toEqual({ ...nothing, photographs: 12, added: 12, described: 12 });
  const before = contents();
  expect(counts(await build())).toEqual({ ...nothing, photographs: 12, unchanged: 12 });
  expect(contents()).toEqual(before);
  // Another time but the same bytes: nothing to describe.
  utimesSync(join(set.images, 'rings/0.png'), 1, 1);
  copyFileSync(join(set.images, 'stripes/3.png'), join(set.images, 'rings/1.png'));
  copyFileSync(join(set.images, 'stripes/3.png'), join(set.images, 'rings/4.png'));
  rmSync(join(set.images, 'checks/2.png'));
  copyFileSync(join(set.images, 'checks/3.png'), join(set.images, 'top.png'));
  expect(counts(await build())).toEqual({
    photographs: 13,
    added: 2,
    changed: 2,
    unchanged: 9,
    removed: 1,
    described: 3,
  });
  const collection = await openCollection(index);
  try {
    expect(collection.ids().toSorted()).toEqual([
      'checks/0',
      'checks/1',
      'checks/3',
      ...[0, 1, 2, 3, 4].map((i) => `rings/${i}`),
      ...[0, 1, 2, 3].map((i) => `stripes/${i}`),
      'top',
    ]);
    // What lies in a folder shows what this is named after; what lies in none is said to show nothing.
    expect(['checks/0', 'rings/4', 'top'].map((id) => collection.item(id)?.object)).toEqual([
      'checks',
      'rings',
      undefined,
    ]);
    expect(collection.values('object')).toEqual(['checks', 'rings', 'stripes']);
    const { objects } = await collection.search({ image: join(set.images, 'stripes/3.png') }, { count: 3 });
    const results = objects.flatMap((found) => found.results);
    expect(results.map(({ item }) => item.id).toSorted()).toEqual(['rings/1', 'rings/4', 'stripes/3']);
    for (const { similarity } of results) expect(similarity).toBeCloseTo(1, 3);
  } finally {
    collection.dispose();
  }
});

test('an interrupted build goes on with what was described, when nothing else has changed', async () => {
  const stop = new AbortController();
  const view = {
    progress: (label: string) => ({
      update: (done: number) => label.startsWith('describe') && done === 5 && stop.abort(),
      stop() {},
    }),
    note() {},
  };
  const options = { source: set.images, model: set.model, out: index, size: 64 };
  await expect(buildIndex(options, { signal: stop.signal, view })).rejects.toThrow(/Interrupted with [56] of 12/);
  await expect(openCollection(index)).rejects.toThrow(/building has not ended/);
  const { resumed, described, photographs } = await buildIndex(options);
  expect([5, 6]).toContain(resumed);
  expect([resumed + described, photographs]).toEqual([12, 12]);
  expect(readdirSync(index).filter((name) => name.startsWith('describing'))).toEqual([]);
});

test('killed in the middle of describing: the same command finishes, and the index is the one of a run without a kill', async () => {
  const script = join(set.folder, 'build.mjs');
  writeFileSync(
    script,
    `import { register } from '${import.meta.resolve('tsx/esm/api')}'; register();
     const { buildIndex } = await import('${root}/src/stages/index-update.ts');
     await buildIndex(${JSON.stringify({ source: set.images, model: set.model, out: index, size: 64 })});`,
  );
  const env = { ...process.env, KILL_DIR: index, KILL_AT: '14', KILL_PHASE: 'half' };
  const killed = spawnSync(process.execPath, ['--require', join(root, 'test/support/kill-at.cjs'), script], {
    env,
    encoding: 'utf8',
  });
  expect(killed.signal, killed.stderr).toBe('SIGKILL');
  expect(existsSync(join(index, 'collection.json'))).toBe(false);
  const { resumed, described } = await build();
  expect(resumed).toBeGreaterThan(0);
  expect(described).toBe(12 - resumed);
  const after = contents();
  rmSync(index, { recursive: true });
  await build();
  expect(after).toEqual(contents());
});

test('add and remove: ids of equal names are replaced, unknown ones refused with nothing removed', async () => {
  await build(join(set.images, 'rings'));
  expect(counts(await addToIndex({ source: set.manifest, index }))).toMatchObject({ photographs: 16, added: 12 });
  await expect(removeFromIndex({ ids: ['0', 'nobody'], index })).rejects.toThrow(
    'has no photograph "nobody"; nothing was removed',
  );
  expect(await removeFromIndex({ ids: ['0', '1'], index })).toMatchObject({ photographs: 14, removed: 2 });
  expect(await indexInfo(index)).toMatchObject({ name: 'index', photographs: 14, objects: 3 });
  await expect(addToIndex({ source: set.images, index: join(set.folder, 'none') })).rejects.toThrow(
    /Cannot read the index/,
  );
  expect(existsSync(join(set.folder, 'none'))).toBe(false);
});

test('another model or other settings are refused in one line; --overwrite describes all anew', async () => {
  await build();
  const other = join(set.folder, 'other.safetensors');
  await writeModelFile(other, smallModelParts());
  await expect(buildIndex({ source: set.images, model: other, out: index, size: 64 })).rejects.toThrow(
    /an index of another model/,
  );
  await expect(buildIndex({ source: set.images, model: set.model, out: index })).rejects.toThrow(
    /described with --size 64/,
  );
  await expect(addToIndex({ source: set.images, index, model: other })).rejects.toThrow(/is not the model of/);
  await expect(openCollection(index, { model: other })).rejects.toThrow(/is not the model of/);
  const result = await buildIndex({ source: set.images, model: other, out: index, overwrite: true });
  expect(counts(result)).toMatchObject({ photographs: 12, described: 12 });
  expect(readdirSync(index).filter((name) => name.startsWith('model-')).length).toBe(1);
});

test('a table: byte order mark, CRLF, quotes, named columns, missing and broken files', async () => {
  const table = join(set.images, 'table.csv');
  const lines = [
    'Inventar;Datei;Titel;rights;Werk;town',
    'A1;rings/0.png;"""Ring"", <b>bold</b>; red";CC0;ring;Lisbon',
    'A2;stripes/0.png;;;stripe;Porto',
    'A3;stripes/none.png;x;;stripe;Porto',
    'A4;empty.jpg;x;;stripe;Porto',
  ];
  writeFileSync(join(set.images, 'empty.jpg'), '');
  writeFileSync(table, `\ufeff${lines.join('\r\n')}\r\n`);
  const columns = { id: 'Inventar', path: 'Datei', title: 'Titel', object: 'Werk' };
  const result = await buildIndex({ source: table, model: set.model, out: index, size: 64, columns });
  expect(result).toMatchObject({ photographs: 2, added: 2 });
  expect(result.failures.map(({ id }) => id).toSorted()).toEqual(['A3', 'A4']);
  const collection = await openCollection(index);
  try {
    expect(collection.item('A1')).toEqual({
      id: 'A1',
      path: join(set.images, 'rings/0.png'),
      object: 'ring',
      title: '"Ring", <b>bold</b>; red',
      rights: 'CC0',
      columns: { town: 'Lisbon' },
    });
    expect(collection.item('A2')).toMatchObject({ object: 'stripe', columns: { town: 'Porto' } });
    expect(collection.values('town')).toEqual(['Lisbon', 'Porto']);
    // A title alone has changed: no photograph is described again.
    writeFileSync(table, lines.slice(0, 3).join('\n').replace('stripes/0.png;;', 'stripes/0.png;Stripes;'));
    const again = await buildIndex({ source: table, model: set.model, out: index, size: 64, columns });
    expect(counts(again)).toEqual({ ...nothing, photographs: 2, changed: 1, unchanged: 1 });
    expect(collection.item('A2')?.title).toBeUndefined();
    expect(await collection.reload()).toBe(true);
    expect(await collection.reload()).toBe(false);
    expect(collection.item('A2')?.title).toBe('Stripes');
  } finally {
    collection.dispose();
  }
  await expect(
    buildIndex({ source: table, model: set.model, out: index, columns: { ...columns, id: 'none' } }),
  ).rejects.toThrow('has no column "none", which was named for id');
});

test('distractors: a threshold without labels, which stays when photographs come and go', async () => {
  const options = { source: join(set.images, 'rings'), model: set.model, out: index, size: 64 };
  await buildIndex({ ...options, distractors: join(set.images, 'checks') });
  expect(await indexInfo(index)).toMatchObject({ thresholdHow: '4 distractors are too few to tell (40)' });
  const many = join(set.folder, 'many.txt');
  const names = ['checks', 'stripes'].flatMap((name) => [0, 1, 2, 3].map((i) => `images/${name}/${i}.png`));
  writeFileSync(
    many,
    Array.from({ length: 6 }, (_, i) => names.map((name) => `${'./'.repeat(i)}${name}`))
      .flat()
      .join('\n'),
  );
  await buildIndex({ ...options, distractors: many });
  const { threshold, thresholdHow } = await indexInfo(index);
  expect(thresholdHow).toBe('10 % of 48 distractors are as similar to something in the collection');
  expect(threshold).toBeGreaterThan(0);
  await addToIndex({ source: set.manifest, index });
  await removeFromIndex({ ids: ['0'], index });
  expect(await indexInfo(index)).toMatchObject({ threshold, thresholdHow, photographs: 15 });
  const collection = await openCollection(index);
  const { found } = await collection.search({ image: join(set.images, 'rings/1.png') });
  collection.dispose();
  expect(found).toBe(true);
});

test('queries: bytes, a box, filters, similar ones, expansion; what is no photograph is refused', async () => {
  await build(set.manifest);
  const collection = await openCollection(index);
  try {
    const image = join(set.images, 'rings/2.png');
    const bytes = await collection.search({ image: readFileSync(image) }, { count: 4 });
    const file = await collection.search({ image }, { count: 4 });
    expect(bytes.objects).toEqual(file.objects);
    expect(file).toMatchObject({ size: { width: 64, height: 48 }, threshold: undefined, found: undefined });
    expect(file.objects[0].object).toBe('rings');
    const whole = await collection.search({ image, box: { x: 0, y: 0, width: 64, height: 48 } }, { count: 4 });
    expect(whole.objects[0].results[0]).toEqual(file.objects[0].results[0]);
    const part = await collection.search({ image, box: { x: 20, y: 8, width: 32, height: 32 } }, { count: 4 });
    expect(part.objects[0].results[0].similarity).toBeLessThan(0.9999);
    expect(file.evidence).toBe(file.objects[0].results[0].similarity);
    const checks = await collection.search({ image }, { where: { object: ['checks'] } });
    expect(checks.objects.map(({ object, results }) => [object, results.length])).toEqual([['checks', 4]]);
    const similar = await collection.similar('rings/2', { count: 20, queryExpansion: 'aqe:2' });
    expect(similar.objects.flatMap(({ results }) => results).length).toBe(11);
    await expect(collection.similar('../rings/2')).rejects.toThrow('has no photograph');
    const store = await openStore(index);
    await store.setThreshold({ similarity: 0.9, photographs: 3, how: 'by hand' });
    await store.close();
    expect(await collection.reload()).toBe(true);
    for (const { found, evidence, threshold, objects } of [
      await collection.search({ image }, { count: 12 }),
      await collection.similar('rings/2', { count: 12 }),
    ]) {
      const [a, b, c] = objects[0].results.map(({ similarity }) => similarity);
      expect(evidence).toBeCloseTo((a + b + c) / 3, 5);
      expect([found, threshold]).toEqual([evidence! >= 0.9, 0.9]);
    }
    // Where a probability was learned, it is compared: half where the nearest is not at all similar.
    const learned = await openStore(index);
    const weights = { nearest: 3, several: 0, lead: 0, among: 0 };
    const presence = { threshold: 0.9, intercept: 0, weights, usual: { lead: 0, among: 0 } };
    await learned.setThreshold({ similarity: 1, presence, how: 'by hand' });
    await learned.close();
    expect(await collection.reload()).toBe(true);
    const probable = await collection.search({ image }, { count: 12 });
    const nearest = probable.objects[0].results[0].similarity;
    expect(probable.evidence).toBeCloseTo(1 / (1 + Math.exp(-3 * nearest)), 10);
    expect(probable).toMatchObject({ measure: 'probability', threshold: 0.9, found: probable.evidence! >= 0.9 });
    expect(verdictOf(probable)).toBe(
      `in the collection (probability ${probable.evidence!.toFixed(2)}, threshold 0.90)`,
    );
    expect(verdictOf({ ...probable, measure: 'similarity' })).toMatch(/\(similarity 0\.9\d\d\d, threshold 0\.9000\)$/);
    await expect(collection.search({ image: Buffer.from('<svg/>') })).rejects.toThrow(/not a photograph/);
    await expect(collection.search({ image: new Uint8Array() })).rejects.toThrow(/empty/);
    await expect(collection.search({ image, box: { x: 90, y: 0, width: 5, height: 5 } })).rejects.toThrow(/no pixel/);
    await expect(collection.search({ image }, { queryExpansion: 'much' })).rejects.toThrow(/expected aqe:K/);
  } finally {
    collection.dispose();
  }
});

test('the commands print one JSON object', async () => {
  const out = ['--model', set.model, '--size', '64', '--out', index, '--json'];
  const built = await runCommand(register, 'index', 'build', set.manifest, ...out);
  expect(JSON.parse(built.stdout)).toMatchObject({ photographs: 12, added: 12 });
  const info = await runCommand(register, 'index', 'info', index, '--json');
  expect(JSON.parse(info.stdout)).toMatchObject({ name: 'index', photographs: 12, objects: 3 });
  const query = join(set.images, 'checks/1.png');
  const found = await runCommand(
    registerSearch,
    'search',
    query,
    '--index',
    index,
    '--k',
    '2',
    '--where',
    'object=checks',
    '--json',
  );
  const { results } = JSON.parse(found.stdout) as { results: { id: string; similarity: number }[] };
  expect(results.length).toBe(2);
  expect(results[0]).toMatchObject({ id: 'checks/1', object: 'checks' });
  const page = join(set.folder, 'found.html');
  const again = await runCommand(registerSearch, 'search', query, '--index', index, '--report', page);
  expect(again.stdout).toMatch(/^.*1\.png\nphotograph +object/);
  const html = readFileSync(page, 'utf8');
  expect(html.match(/<img /g)).toHaveLength(13);
  expect(html).toContain('checks/1 · checks · similarity 1.0000');
  const refused = runCommand(registerSearch, 'search', query, '--index', index, '--report', page);
  await expect(refused).rejects.toThrow(/exists; pass --overwrite/);
  const removed = await runCommand(register, 'index', 'remove', 'checks/1', '--index', index);
  expect(removed.stdout).toContain('11 photographs; 0 added, 0 changed, 0 unchanged, 1 removed');
  expect(() => columnOption('titel=x')).toThrow('--column: expected meaning=name');
  expect(columnOption('id=b', { title: 'a' })).toEqual({ title: 'a', id: 'b' });
});
