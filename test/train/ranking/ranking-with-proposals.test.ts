import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import type { ImageRecord } from '../../../src/data/manifest.js';
import { readModelFile, writeModelFile } from '../../../src/data/model-file.js';
import { InputError, UsageError } from '../../../src/errors.js';
import type { RpnMeta } from '../../../src/models/meta.js';
import type { NamedArrays } from '../../../src/models/safetensors.js';
import { initialRpn } from '../../../src/rpn/head.js';
import { RandomStream } from '../../../src/train/random.js';
import { RankingTrainer } from '../../../src/train/ranking/ranking-trainer.js';
import { trainInFolder } from '../../../src/train/train-in-folder.js';
import { readCheckpoint } from '../../../src/run/checkpoint.js';
import { tripletConfigSchema } from '../../../src/train/ranking/triplet-config.js';
import { RunFolder } from '../../../src/run/run-folder.js';
import { headFor, loadForTraining, whitened } from '../../../src/train/ranking/ranking-start.js';
import '../../support/engine.js';
import { smallModelParts } from '../../support/small-model.js';
import { stripedPhotographs, temporaryFolder } from '../tiny-run.js';

const rpn: RpnMeta = { anchors: { base: 16, scales: [1.2, 2], ratios: [0.5, 1, 2], clip: true }, channels: 8 };
let records: ImageRecord[];
let plainFile: string;
let file: string;

beforeAll(async () => {
  const folder = await temporaryFolder();
  records = await stripedPhotographs(folder, { sidePx: 48 });
  const { meta, weights } = smallModelParts({ whiteningDimension: 16 });
  plainFile = join(folder, 'plain.safetensors');
  await writeModelFile(plainFile, { meta, weights });
  file = join(folder, 'proposals.safetensors');
  const all = new Map([...weights, ...initialRpn(rpn, 256, new RandomStream(1))]);
  await writeModelFile(file, { meta: { ...meta, rpn }, weights: all });
});

const config = (changes: object = {}) =>
  tripletConfigSchema.parse({
    steps: 2,
    tripletsPerStep: 2,
    imageSize: 64,
    poolSize: 9,
    remineEvery: 2,
    margin: 1,
    learningRate: 0.01,
    checkpointEvery: 1,
    freeze: 'stage2',
    regions: 'grid+rpn:3',
    ...changes,
  });

/** Trains in a new folder, or goes on in one, until `steps`. */
async function train(
  settings: ReturnType<typeof config>,
  path = mkdtempSync(join(tmpdir(), 'rmac-fit-proposals-')),
  images = records,
) {
  const folder = new RunFolder(path);
  const checkpoint = await folder.latestCheckpoint();
  const model = await loadForTraining(
    checkpoint === undefined ? file : join(checkpoint, 'model.safetensors'),
    settings,
  );
  const head = headFor(model, settings);
  const losses: number[] = [];
  const trainer = new RankingTrainer({ model, head, records: images, config: settings });
  const resume = checkpoint === undefined ? undefined : await readCheckpoint(checkpoint, (own) => trainer.restore(own));
  const log = trainInFolder(folder, trainer, { config: settings, schema: tripletConfigSchema, resume });
  for await (const record of log) {
    if (record.event === 'update') losses.push(record.loss);
  }
  head?.dispose();
  model.dispose();
  return { path, losses, ...(await readModelFile(folder.model)) };
}

function differing(a: NamedArrays, b: NamedArrays): string[] {
  return [...a.keys()].filter(
    (name) => !Buffer.from(a.get(name)!.data.buffer).equals(Buffer.from(b.get(name)!.data.buffer)),
  );
}

describe('train triplet with proposals', () => {
  test('stopped and resumed is the same bits; the model of the run says its regions, and keeps the proposals', async () => {
    const whole = await train(config());
    const first = await train(config({ steps: 1 }));
    const rest = await train(config(), first.path);
    expect([...first.losses, ...rest.losses]).toEqual(whole.losses);
    expect(differing(whole.weights, rest.weights)).toEqual([]);
    expect(whole.meta.regions).toEqual({ grid: true, proposals: 3 });
    const before = (await readModelFile(file)).weights;
    const changed = differing(before, whole.weights);
    expect(changed).toContain('whitening/kernel');
    expect(changed.filter((name) => name.startsWith('rpn/'))).toEqual([]);
  });

  test('rpnWeight: proposals learn with the trunk and are in the model of the run; resumed it is the same bits', async () => {
    const joint = config({ rpnWeight: 0.5, augmentation: { flip: true, crop: 0.2 }, regions: 'rpn:3' });
    const boxed = records.map((record, i) =>
      i === 0 ? record : { ...record, box: { x: 8, y: 4, width: 30, height: 24 } },
    );
    const whole = await train(joint, undefined, boxed);
    const first = await train({ ...joint, steps: 1 }, undefined, boxed);
    const rest = await train(joint, first.path, boxed);
    expect([...first.losses, ...rest.losses]).toEqual(whole.losses);
    expect(differing(whole.weights, rest.weights)).toEqual([]);
    const changed = differing((await readModelFile(file)).weights, whole.weights);
    expect(changed.filter((name) => name.startsWith('rpn/'))).toHaveLength(6);
    const log = readFileSync(new RunFolder(whole.path).log, 'utf8');
    expect(log).toMatch(/"proposalLoss":0\.\d+,"proposalObjectness":0\.\d+,"proposalBoxes":0\.\d+/);
    await expect(train(joint)).rejects.toThrow('no image of the manifest has a "box"');
    await expect(loadForTraining(plainFile, { ...joint, regions: 'grid' })).rejects.toThrow('no region proposals');
  });

  test('regions: grid takes them from a model, model leaves them', async () => {
    const { path } = await train(config({ steps: 1 }));
    const trained = new RunFolder(path).model;
    const regionsWith = async (regions: string) => {
      const model = await loadForTraining(trained, config({ regions }));
      model.dispose();
      return model.meta.regions;
    };
    expect(await regionsWith('grid')).toBeUndefined();
    expect(await regionsWith('model')).toEqual({ grid: true, proposals: 3 });
    expect(await regionsWith('rpn:7')).toEqual({ grid: false, proposals: 7 });
  });

  test('a whitening is learned from the regions of the proposals', async () => {
    const dimension = 4;
    const learn = async (regions: string) => {
      const settings = config({ regions, whitenDimension: dimension, freeze: 'none' });
      const { model } = await whitened(await loadForTraining(file, settings), records, { config: settings });
      const { data } = (await model.toArrays()).get('whitening/shift')!;
      model.dispose();
      return [...data];
    };
    expect(await learn('rpn:2')).not.toEqual(await learn('grid'));
  });

  test('a model without proposals or of another pooling is refused, and so are regions of another form', async () => {
    await expect(loadForTraining(plainFile, config())).rejects.toThrow(InputError);
    await expect(loadForTraining(plainFile, config())).rejects.toThrow('plain.safetensors: The model has no region');
    const stored = await readModelFile(file);
    const gem = file.replace('proposals', 'gem');
    const pooling = { ...stored.meta.pooling, kind: 'mac' as const };
    await writeModelFile(gem, { ...stored, meta: { ...stored.meta, pooling } });
    await expect(loadForTraining(gem, config())).rejects.toThrow(UsageError);
    expect(() => config({ regions: 'rpn' })).toThrow('model, grid, rpn:K');
  });
});
