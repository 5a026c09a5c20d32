/**
 * @file Whether a long run stays flat in memory: updates of the trainer itself (mining, decoding, two passes, optimizer, checkpoints, log,
 * event file) with a trunk and photographs so small that thousands take minutes.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { engineStats, startEngine } from '../../src/backend/index.js';
import type { ImageRecord } from '../../src/data/manifest.js';
import { defaultMeta, initialWeights } from '../../src/models/architectures.js';
import { DescriptorModel } from '../../src/models/descriptor.js';
import { RandomStream } from '../../src/train/random.js';
import { RankingTrainer } from '../../src/train/ranking/ranking-trainer.js';
import { trainInFolder } from '../../src/train/train-in-folder.js';
import { tripletConfigSchema } from '../../src/train/ranking/triplet-config.js';
import { RunFolder } from '../../src/run/run-folder.js';
import { largest } from '../../src/extremes.js';
import { clock, mean, print } from './process.js';

/** Landmarks, and photographs of each. */
const [landmarks, photographs] = [8, 4];

/** Prints a JSON line every twentieth of the run, and a verdict. */
export async function manyUpdates(steps: number): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'rmac-many-updates-'));
  try {
    await startEngine({ device: 'cpu', threads: 1 });
    const cut = 'stage1';
    const model = DescriptorModel.create(defaultMeta('rmac-small', { cut }), initialWeights('rmac-small', 1, cut));
    const config = tripletConfigSchema.parse({
      steps,
      tripletsPerStep: 1,
      imageSize: 32,
      poolSize: 24,
      remineEvery: 100,
      margin: 1,
      learningRate: 1e-6, // nothing is to be learned: there is always a loss
      checkpointEvery: 500,
      cacheMegabytes: 0, // every image is decoded every time
      augmentation: { flip: true, colour: 0.2, crop: 0.2 },
    });
    const records = await photographsIn(folder);
    const elapsed = clock();
    const rss: number[] = [];
    const tensors = new Set<number>();
    const trainer = new RankingTrainer({ model, records, config });
    const run = trainInFolder(new RunFolder(join(folder, 'run')), trainer, { config, schema: tripletConfigSchema });
    for await (const log of run) {
      if (log.event !== 'update') continue;
      rss.push(log.rssBytes);
      tensors.add(log.numTensors);
      if (log.step % Math.ceil(steps / 20) !== 0) continue;
      const { heapUsed } = process.memoryUsage();
      const { sessions, sessionBytes } = engineStats()!;
      const line = {
        step: log.step,
        rssMB: megabytes(log.rssBytes),
        heapMB: megabytes(heapUsed),
        numTensors: log.numTensors,
        sessions,
        sessionMB: megabytes(sessionBytes),
        seconds: Math.round(elapsed().ms / 1000),
      };
      print(line);
    }
    const quarter = Math.floor(rss.length / 4);
    const verdict = {
      updates: rss.length,
      peakMB: megabytes(largest(rss)),
      driftMB: megabytes(mean(rss.slice(3 * quarter)) - mean(rss.slice(2 * quarter, 3 * quarter))),
      numTensorsConstant: tensors.size === 1,
    };
    print(verdict);
    model.dispose();
  } finally {
    await rm(folder, { recursive: true });
  }
}

const megabytes = (bytes: number) => Math.round(bytes / 1e5) / 10;

/** Noise of two shapes. */
async function photographsIn(folder: string): Promise<ImageRecord[]> {
  const random = new RandomStream(1);
  const records: ImageRecord[] = [];
  for (let l = 0; l < landmarks; l++) {
    for (let p = 0; p < photographs; p++) {
      const [width, height] = p % 2 === 0 ? [48, 48] : [48, 36];
      const data = Uint8Array.from({ length: width * height * 3 }, () => random.below(256));
      const path = join(folder, `${l}-${p}.jpg`);
      await sharp(data, { raw: { width, height, channels: 3 } })
        .jpeg()
        .toFile(path);
      records.push({ id: `${l}/${p}`, path, landmark: `${l}` });
    }
  }
  return records;
}
