import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { resolveConfig } from '../../src/config.js';
import { readModelFile } from '../../src/data/model-file.js';
import { openWeights } from '../../src/data/open-weights.js';
import { readPairs } from '../../src/data/pairs.js';
import { sha256OfFile } from '../../src/data/sha256.js';
import { readDescriptorFolder } from '../../src/retrieval/descriptor-folder.js';
import { readGroundTruth } from '../../src/retrieval/ground-truth.js';
import { encodeNpy } from '../../src/data/npy.js';
import { readGndFile } from '../../src/retrieval/protocols/gnd-file.js';
import { openOxford } from '../../src/retrieval/protocols/oxford.js';
import { readUprightImages } from '../../src/retrieval/protocols/upright-images.js';

const folder = mkdtempSync(join(tmpdir(), 'rmac-text-'));
afterAll(() => rm(folder, { recursive: true, force: true }));

function written(name: string, content: string | Uint8Array): string {
  const file = join(folder, name);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, content);
  return file;
}

describe('a byte order mark is no part of', () => {
  const truth = { queries: [{ id: 'q', image: 'q.jpg', positives: ['a'] }], database: [{ id: 'a', image: 'a.jpg' }] };
  const gnd = { imlist: ['a'], qimlist: ['q'], gnd: [{ ok: [0] }] };
  const tensorflow = {
    modelTopology: {},
    weightsManifest: [{ paths: ['w.bin'], weights: [{ name: 'w', shape: [1], dtype: 'float32' }] }],
  };
  const cases: [string, string, (file: string) => Promise<unknown>][] = [
    ['a ground truth', JSON.stringify(truth), async (file) => (await readGroundTruth(file)).queries[0].id],
    ['a revisited ground truth', JSON.stringify(gnd), async (file) => (await readGndFile(file)).images],
    ['pairs', '{"a":"x","b":"y"}\n', readPairs],
    ['a recipe', 'steps: 7\n', (file) => resolveConfig(z.object({ steps: z.number().default(1) }), { recipe: file })],
    ['a list of turns', '1.jpg 90\n', async (file) => [...(await readUprightImages(file, new Set(['1']))).turns]],
    ['a model.json', JSON.stringify(tensorflow), async (file) => (await openWeights(file)).format],
  ];
  test.each(cases)('%s', async (name, text, read) => {
    const stem = name.replaceAll(' ', '-');
    for (const place of ['plain', 'marked']) written(`${place}/w.bin`, new Uint8Array(4));
    const plain = await read(written(`plain/${stem}.yaml`, text));
    expect(await read(written(`marked/${stem}.yaml`, `\ufeff${text}`))).toEqual(plain);
  });

  test('the lists of Oxford', async () => {
    written('oxford/x_query.txt', '\ufeffoxc1_a 0 0 5 5\n');
    written('oxford/x_good.txt', '\ufeffb\r\n');
    for (const kind of ['ok', 'junk']) written(`oxford/x_${kind}.txt`, '\ufeff');
    const { settings } = await openOxford('oxford5k', { truth: join(folder, 'oxford') });
    expect(settings[0].groundTruth.queries[0]).toMatchObject({ image: 'a', positives: ['b'], junk: [] });
  });

  test('ids and meta of descriptors', async () => {
    written('d/descriptors.npy', encodeNpy(Float32Array.of(1, 0), [1, 2]));
    written('d/ids.txt', '\ufeffa\r\n');
    written('d/meta.json', '\ufeff{"failures":[{"id":"b","error":"broken"}]}');
    expect(await readDescriptorFolder(join(folder, 'd'))).toMatchObject({ ids: ['a'], failures: [{ id: 'b' }] });
  });
});

describe('a file that cannot be read says what to do', () => {
  test('a folder in place of a file', async () => {
    await expect(readModelFile(folder)).rejects.toThrow(`Cannot read ${folder}: it is a folder, a file is expected`);
    await expect(readPairs(folder)).rejects.toThrow(/it is a folder/);
    await expect(readGroundTruth(folder)).rejects.toThrow(/it is a folder/);
  });

  test('best.safetensors of a training without --val', async () => {
    const model = written('run/model.safetensors', '');
    const best = join(folder, 'run/best.safetensors');
    const message = `only training with --val writes one; the model as it was at the end is ${model}`;
    await expect(readModelFile(best)).rejects.toThrow(message);
    await expect(sha256OfFile(best)).rejects.toThrow(message);
    await expect(readModelFile(join(folder, 'other/best.safetensors'))).rejects.toThrow(/ENOENT/);
  });
});
