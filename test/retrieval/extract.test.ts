import '../support/engine.js';
import { appendFileSync, existsSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { InputError } from '../../src/errors.js';
import { descriptorFiles, readDescriptorFolder, shardOf } from '../../src/retrieval/descriptor-folder.js';
import { extractDescriptors, type ExtractionOptions, ExtractionInterrupted } from '../../src/retrieval/extract.js';
import { encodeNpy } from '../../src/data/npy.js';
import { PartialDescriptors } from '../../src/retrieval/partial-descriptors.js';
import { meanColourModel, writeTwoColours } from './mean-colour-model.js';

const images = mkdtempSync(join(tmpdir(), 'rmac-images-'));
const colours = [
  [255, 0, 0],
  [0, 255, 0],
  [0, 0, 255],
  [255, 255, 0],
];
const items = colours.map((_, i) => ({ id: `image/${i}`, path: join(images, `${i}.png`) }));
const broken = { id: 'broken', path: join(images, 'broken.png') };
const settings = { model: 'abc', size: 'none' };
const newFolder = () => join(mkdtempSync(join(tmpdir(), 'rmac-out-')), 'descriptors');

beforeAll(async () => {
  for (const [i, colour] of colours.entries()) await writeTwoColours(items[i].path, colour);
  writeFileSync(broken.path, 'not an image');
});

/** A model that fails the test when it is used more than `limit` times, and counts. */
function countingModel(limit = Number.POSITIVE_INFINITY) {
  const model = {
    dimension: 3,
    calls: 0,
    describe: (x: Parameters<typeof meanColourModel.describe>[0]) => {
      if (++model.calls > limit) throw new Error('killed');
      return meanColourModel.describe(x);
    },
  };
  return model;
}

const extract = (
  model: typeof meanColourModel,
  folder: string,
  options: Partial<ExtractionOptions> = {},
  list = items,
) => extractDescriptors(model, list, { folder, sizing: { longest: 'none' }, settings, ...options });

describe('extractDescriptors', () => {
  test('rows in the order of the list, a bad image left out and listed', async () => {
    const folder = newFolder();
    const list = [items[0], broken, ...items.slice(1)];
    const result = await extract(meanColourModel, folder, { meta: { note: 'x' } }, list);
    expect(result).toMatchObject({ images: 4, dimension: 3, resumed: 0 });
    expect(result.failures).toEqual([{ id: 'broken', error: expect.stringContaining('broken.png') as string }]);
    const set = await readDescriptorFolder(folder);
    expect(set.ids).toEqual(items.map(({ id }) => id));
    expect([...set.data].map(Math.round)).toEqual([1, 0, 0, 0, 1, 0, 0, 0, 1, 1, 1, 0]);
    expect(set.notUnit).toBe(false);
    expect(set.failures).toEqual(result.failures);
    expect(JSON.parse(readFileSync(join(folder, 'meta.json'), 'utf8'))).toMatchObject({
      images: 4,
      dimension: 3,
      settings,
      note: 'x',
    });
    expect(existsSync(join(folder, 'partial.jsonl'))).toBe(false);
  });

  test('after a kill the same call describes only the rest, and gives the same files', async () => {
    const [whole, killed] = [newFolder(), newFolder()];
    await extract(meanColourModel, whole);
    await expect(extract(countingModel(2), killed)).rejects.toThrow('killed');
    appendFileSync(join(killed, 'partial.jsonl'), '{"id":"image/2","sou'); // the line that was being written
    const rest = countingModel();
    const started: number[] = [];
    const result = await extract(rest, killed, { onStart: (...counts) => started.push(...counts) });
    expect(rest.calls).toBe(2);
    expect(started).toEqual([2, 2]);
    expect(result.resumed).toBe(2);
    for (const name of ['descriptors.npy', 'ids.txt', 'meta.json']) {
      expect(readFileSync(join(killed, name))).toEqual(readFileSync(join(whole, name)));
    }
  });

  test('an image that changed since the kill is described again', async () => {
    const folder = newFolder();
    const own = { id: 'own', path: join(images, 'own.png') };
    await writeTwoColours(own.path, [255, 0, 0]);
    await expect(extract(countingModel(1), folder, {}, [own, ...items])).rejects.toThrow('killed');
    await writeTwoColours(own.path, [0, 255, 0], [0, 254, 0]);
    const result = await extract(meanColourModel, folder, {}, [own, ...items]);
    expect(result.resumed).toBe(0);
    expect([...(await readDescriptorFolder(folder)).data.subarray(0, 3)].map(Math.round)).toEqual([0, 1, 0]);
  });

  test('an unfinished run with other settings is refused, or replaced with overwrite', async () => {
    const folder = newFolder();
    await expect(extract(countingModel(2), folder)).rejects.toThrow('killed');
    const other = { settings: { ...settings, size: '320' } };
    await expect(extract(meanColourModel, folder, other)).rejects.toThrow(
      /unfinished .*\(size none -> 320\).*--overwrite/,
    );
    const again = countingModel();
    await extract(again, folder, { ...other, overwrite: true });
    expect(again.calls).toBe(4);
  });

  test('finished results are kept without overwrite', async () => {
    const folder = newFolder();
    await extract(meanColourModel, folder);
    const unused = countingModel(0);
    await expect(extract(unused, folder)).rejects.toThrow(/exists; pass --overwrite/);
    await extract(meanColourModel, folder, { overwrite: true });
  });

  test('an interruption keeps what is done and says how to go on', async () => {
    const folder = newFolder();
    const controller = new AbortController();
    const interrupted = extract(meanColourModel, folder, {
      signal: controller.signal,
      onProgress: (done) => done === 3 && controller.abort(),
    });
    await expect(interrupted).rejects.toThrow(ExtractionInterrupted);
    await expect(interrupted).rejects.toThrow('Interrupted with 3 of 4 images done; run the same command again');
    expect((await extract(meanColourModel, folder)).resumed).toBe(3);
  });

  test('fails when no image at all can be described', async () => {
    const folder = newFolder();
    await expect(extract(meanColourModel, folder, {}, [broken])).rejects.toThrow(/^None of the 1 images/);
    expect(existsSync(join(folder, 'descriptors.npy'))).toBe(false);
  });

  test('shards read back as the unsharded run', async () => {
    const [whole, parts] = [newFolder(), newFolder()];
    await extract(meanColourModel, whole);
    for (const index of [3, 1]) {
      const shard = { index, count: 3 };
      await extract(meanColourModel, parts, { shard }, shardOf(items, shard));
    }
    await expect(readDescriptorFolder(parts)).rejects.toThrow(/lacks shard 2\/3/);
    const shard = { index: 2, count: 3 };
    await extract(meanColourModel, parts, { shard }, shardOf(items, shard));
    const merged = await readDescriptorFolder(parts);
    const expected = await readDescriptorFolder(whole);
    expect(merged.ids).toEqual(expected.ids);
    expect(merged.data).toEqual(expected.data);
    // made anew under other settings, one part no longer belongs to the others
    await extract(meanColourModel, parts, { shard, settings: { model: 'x' }, overwrite: true }, shardOf(items, shard));
    await expect(readDescriptorFolder(parts)).rejects.toThrow(/different models or options/);
  });
});

test('shardOf: contiguous, complete, equal within one', () => {
  const list = Array.from({ length: 10 }, (_, i) => i);
  const parts = [1, 2, 3, 4].map((index) => shardOf(list, { index, count: 4 }));
  expect(parts.flat()).toEqual(list);
  expect(parts.map((part) => part.length)).toEqual([2, 3, 2, 3]);
  expect(shardOf([1], { index: 1, count: 3 })).toEqual([]);
});

describe('readDescriptorFolder', () => {
  /** A folder made elsewhere: no meta.json. */
  function folderWith(rows: Float32Array, shape: number[], ids: string): string {
    const folder = mkdtempSync(join(tmpdir(), 'rmac-set-'));
    writeFileSync(join(folder, 'descriptors.npy'), encodeNpy(rows, shape));
    writeFileSync(join(folder, 'ids.txt'), ids);
    return folder;
  }

  test('reads descriptors made elsewhere and notes rows that are not of unit length', async () => {
    const set = await readDescriptorFolder(folderWith(Float32Array.of(1, 0, 3, 4), [2, 2], 'a\r\nb'));
    expect(set).toMatchObject({ ids: ['a', 'b'], dimension: 2, notUnit: true, failures: [] });
  });

  test.each([
    ['too few ids', Float32Array.of(1, 0, 0, 1), [2, 2], 'a\n', /1 ids for 2 rows/],
    ['NaN', Float32Array.of(1, 0, Number.NaN, 1), [2, 2], 'a\nb\n', /row 1 \("b"\) has NaN/],
    ['a duplicate id', Float32Array.of(1, 0, 0, 1), [2, 2], 'a\na\n', /id "a" occurs twice/],
    ['no row at all', new Float32Array(0), [0, 2], '', /holds no descriptors: its tables have 0 rows/],
    ['a single row without axis', Float32Array.of(1, 0), [2], 'a\nb\n', /expected rows \[N, D\], got shape \(2\)/],
  ])('%s is refused', async (_, rows, shape, ids, message) => {
    const folder = folderWith(rows, shape, ids);
    await expect(readDescriptorFolder(folder)).rejects.toThrow(InputError);
    await expect(readDescriptorFolder(folder)).rejects.toThrow(message);
  });

  test('an empty folder, none, and one with an unfinished run', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'rmac-set-'));
    await expect(readDescriptorFolder(folder)).rejects.toThrow(/no descriptors\.npy; make it with rmac extract/);
    await expect(readDescriptorFolder(join(folder, 'none'))).rejects.toThrow(/^Cannot read descriptors in /);
    writeFileSync(join(folder, 'partial.jsonl'), '');
    await expect(readDescriptorFolder(folder)).rejects.toThrow(/unfinished extraction; run the same/);
  });
});

describe('PartialDescriptors', () => {
  const rows = ['a', 'b', 'c'].map((id, i) => ({ id, row: Float32Array.of(i, i + 0.5) }));

  async function write(): Promise<string> {
    const { partial: file } = descriptorFiles(newFolder());
    const partial = await PartialDescriptors.open(file, settings, 2);
    for (const { id, row } of rows) await partial.append(id, `source ${id}`, row);
    await partial.close();
    return file;
  }

  async function reopen(file: string): Promise<Map<string, number[]>> {
    const partial = await PartialDescriptors.open(file, settings, 2, { overwrite: true });
    const found = new Map<string, number[]>();
    await partial.readRows((id, source, row) => {
      expect(source).toBe(`source ${id}`);
      found.set(id, [...row]);
    });
    expect([...partial.finished.keys()]).toEqual([...found.keys()]);
    await partial.append('after', 'source after', Float32Array.of(7, 8));
    await partial.close();
    return found;
  }

  test('cut at any byte, what is whole is kept and can be continued', async () => {
    const bytes = readFileSync(await write());
    const lineEnds = [...bytes.keys()].filter((i) => bytes[i] === 0x0a);
    await fc.assert(
      fc.asyncProperty(fc.nat(bytes.length), async (length) => {
        const { partial: file } = descriptorFiles(mkdtempSync(join(tmpdir(), 'rmac-cut-')));
        writeFileSync(file, bytes.subarray(0, length));
        const whole = Math.max(0, lineEnds.filter((end) => end < length).length - 1); // the first line is the header
        expect([...(await reopen(file))]).toEqual(rows.slice(0, whole).map(({ id, row }) => [id, [...row]]));
        const again = await reopen(file);
        expect(again.get('after')).toEqual([7, 8]);
        expect(again.size).toBe(whole + 1);
      }),
      { seed: 8, numRuns: 60 },
    );
  });

  test('any damage gives rows or an InputError', async () => {
    const bytes = readFileSync(await write());
    await fc.assert(
      fc.asyncProperty(fc.nat(bytes.length - 1), fc.nat(255), async (at, value) => {
        const { partial: file } = descriptorFiles(mkdtempSync(join(tmpdir(), 'rmac-cut-')));
        const damaged = Buffer.from(bytes);
        damaged[at] = value;
        writeFileSync(file, damaged);
        try {
          const partial = await PartialDescriptors.open(file, settings, 2);
          await partial.readRows((_, __, row) => expect(row).toHaveLength(2));
          await partial.close();
        } catch (error) {
          expect(error).toBeInstanceOf(InputError);
        }
      }),
      { seed: 9, numRuns: 100 },
    );
  });
});
