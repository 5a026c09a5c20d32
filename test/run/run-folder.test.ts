import { existsSync } from 'node:fs';
import { appendFile, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { parseSafetensors } from '../../src/models/safetensors.js';
import { RunFolder } from '../../src/run/run-folder.js';
import type { UpdateRecord } from '../../src/run/run-records.js';
import { RunWriter, type RunWriterOptions } from '../../src/run/run-writer.js';
import { smallModelParts } from '../support/small-model.js';
import { temporaryFolder } from '../train/tiny-run.js';

let folder: RunFolder;
beforeEach(async () => {
  folder = new RunFolder(join(await temporaryFolder(), 'run'));
});

const schema = z.strictObject({ keepCheckpoints: z.number().describe('How many stay.'), seed: z.number() });
const { meta, weights } = smallModelParts();
const [name] = weights.keys();

/** A model whose first weights are all `value`, with a file beside it. */
function contents(value: () => number) {
  const filled = () => ({ ...weights.get(name)!, data: weights.get(name)!.data.map(value) });
  return {
    model: { meta, toArrays: async () => new Map([...weights, [name, filled()]]) },
    files: async () => new Map([['head.bin', Uint8Array.of(value())]]),
    variables: new Map([[name, undefined]]),
  };
}

const open = (value: () => number, changes: Partial<RunWriterOptions> = {}) =>
  RunWriter.open(folder, contents(value), {
    config: { keepCheckpoints: 2, seed: 3 },
    schema,
    resumedAfter: undefined,
    ...changes,
  });

const update = (step: number) => ({ event: 'update', step, loss: 1 / step }) as UpdateRecord;
const momentum = async () => new Map();
const lines = async () =>
  (await readFile(folder.log, 'utf8'))
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { event: string; step: number });
const weightOf = async (file: string) => parseSafetensors(await readFile(file), file).tensors.get(name)!.data[0];

describe('a run folder', () => {
  test('has settings with what they mean, a log, the newest states, and the last and the best model with their files', async () => {
    let value = 0;
    const whitening = { dimension: 8, warnings: [] };
    const writer = await open(() => value, { manifest: join(folder.path, '..', 'set.jsonl'), whitening });
    for (value = 1; value <= 3; value++) {
      writer.log(update(value));
      await writer.save({ step: value }, momentum);
      if (value === 2) await writer.best();
    }
    writer.close();
    expect(await readFile(folder.config, 'utf8')).toMatch(/# How many stay\.\nkeepCheckpoints: 2/);
    expect((await lines()).map(({ event, step }) => [event, step])).toEqual([
      ['start', 0],
      ['whitening', 0],
      ['update', 1],
      ['update', 2],
      ['update', 3],
    ]);
    expect((await lines())[0]).toMatchObject({ seed: 3, manifest: '../set.jsonl' });
    expect((await readdir(folder.checkpoints)).sort()).toEqual(['step-000002', 'step-000003']);
    expect(await weightOf(folder.model)).toBe(3);
    expect(await weightOf(folder.best)).toBe(2);
    const byte = async (file: string) => (await readFile(join(folder.path, file)))[0];
    expect([await byte('head.bin'), await byte('best-head.bin')]).toEqual([3, 2]);
    expect(await byte('checkpoints/step-000002/head.bin')).toBe(2);
    expect((await readdir(folder.path)).filter((file) => file.startsWith('events.out.tfevents.'))).toHaveLength(1);
  });

  test('resumed, what was logged behind the checkpoint goes, the start is not said twice, and the models are those of it', async () => {
    const first = await open(() => 1);
    for (const step of [1, 2]) first.log(update(step));
    first.close();
    await appendFile(folder.log, '{"event":"upd');
    await writeFile(folder.model, 'half');
    await rm(join(folder.path, 'head.bin'), { force: true });
    const again = await open(() => 5, { resumedAfter: 1 });
    again.log(update(2));
    again.close();
    expect((await lines()).map(({ event, step }) => [event, step])).toEqual([
      ['start', 0],
      ['update', 1],
      ['update', 2],
    ]);
    expect(await weightOf(folder.model)).toBe(5);
    expect(existsSync(join(folder.path, 'head.bin'))).toBe(true);
  });

  test('holds a run or is new', async () => {
    folder.assertNew();
    (await open(() => 1)).close();
    expect(() => folder.assertNew()).toThrow(/holds a run \(.*config\.yaml\); continue it with --resume/);
    expect(await folder.readConfig()).toEqual({ keepCheckpoints: 2, seed: 3 });
    expect(await folder.latestCheckpoint()).toBeUndefined();
  });
});
