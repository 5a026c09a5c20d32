/**
 * @file The picture of README.md: queries and their first five results under two models, one pair of rows a query.
 *
 *     npm run demo && npx tsx scripts/readme-picture.ts rmac-demo docs/images/before-after.jpg
 *
 * Which queries is not chosen: the one with the largest gain of AP, and that above which a quarter of the queries gain more.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import { startEngine } from '../src/backend/index.js';
import { decodeImage } from '../src/data/images.js';
import { loadModel } from '../src/data/model-file.js';
import { type Column, contactSheet } from '../src/report/contact-sheet.js';
import { exampleGains, queryGains } from '../src/retrieval/compare/gains.js';
import { describeGroundTruth } from '../src/retrieval/describe-ground-truth.js';
import { evaluateDescriptors, type QueryScore } from '../src/retrieval/evaluate.js';
import { readGroundTruth } from '../src/retrieval/ground-truth.js';

const [demo, out] = process.argv.slice(2);
const groundTruth = await readGroundTruth(join(demo, 'photographs/groundtruth.json'));
await startEngine();

async function scores(file: string): Promise<QueryScore[]> {
  const model = await loadModel(file);
  const { database, queries } = await describeGroundTruth(model, groundTruth, {
    sizing: { longest: 224 }, // as recipes/demo.yaml
  });
  model.dispose();
  const { map, queries: scored } = await evaluateDescriptors(groundTruth, database, queries, { top: 7 });
  console.log(file, 'mAP', map.toFixed(4));
  return scored;
}

const gains = queryGains(
  await scores('checkpoints/rmac-small.safetensors'),
  await scores(join(demo, 'run/best.safetensors')),
);
const pathOf = new Map(groundTruth.database.map(({ id, image }) => [id, image]));

const rows: { bytes: Uint8Array; width: number; height: number }[] = [];
for (const { place, gain } of exampleGains(gains).slice(0, 2)) {
  const query = groundTruth.queries.find(({ id }) => id === gain.before.id);
  if (query === undefined) throw new Error(`No query ${gain.before.id}`);
  const { box } = query;
  const image = await decodeImage(query.image, { sizing: { longest: 320 }, ...(box && { crop: box }) });
  console.log(place, query.id, 'AP', gain.before.ap.toFixed(2), gain.after.ap.toFixed(2));
  for (const { top } of [gain.before, gain.after]) {
    const first = top.filter(({ relation }) => relation !== 'junk').slice(0, 5);
    const columns = first.map(({ relation }): Column => (relation === 'positive' ? 'positive' : 'negative'));
    const files = first.map(({ id }) => pathOf.get(id) ?? '');
    rows.push(await contactSheet([[image, ...files]], ['query', ...columns]));
  }
}
const gap = (i: number) => (i >= 2 ? 16 : 0);
const [{ width, height }] = rows;
const picture = await sharp({ create: { width, height: 4 * height + 16, channels: 3, background: '#ffffff' } })
  .composite(rows.map(({ bytes }, i) => ({ input: Buffer.from(bytes), left: 0, top: i * height + gap(i) })))
  .jpeg({ quality: 78 })
  .toBuffer();
writeFileSync(out, picture);
console.log(out, picture.length, 'bytes');
