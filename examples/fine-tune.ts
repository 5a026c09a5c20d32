/**
 * @file Fine-tunes a model on photographs, a folder for each thing, and prints how well it finds things that it never saw, before and
 * after.
 *
 *   npx tsx fine-tune.ts MODEL PHOTOS WORK [SETTING=VALUE ...]
 */
import { join } from 'node:path';
import { evaluate, scan, split, trainTriplet } from 'rmac';

const [start, photographs, work, ...set] = process.argv.slice(2);

const { manifest } = await scan({ source: photographs, out: join(work, 'manifest.jsonl') });
const { train, val } = await split({ manifest, by: 'landmark', val: 0.25, out: work });
console.log(`${train.images} photographs of ${train.landmarks} things to train on, ${val.images} of others to ask for`);

async function meanAveragePrecision(model: string): Promise<string> {
  const { map } = await evaluate({ protocol: 'labels', manifest: val.manifest, model, size: 288 });
  return map.toFixed(3);
}
const before = await meanAveragePrecision(start);

// What else a run writes, and continues from with `resume: true`, is in this folder too.
const run = join(work, 'run');
const view = { note: (line: string) => console.log(line), progress: () => ({ update() {}, stop() {} }) };
await trainTriplet({ init: start, manifest: train.manifest, run, config: 'demo', set }, { view });

console.log(`mAP ${before} before, ${await meanAveragePrecision(join(run, 'model.safetensors'))} after`);
