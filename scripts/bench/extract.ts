/**
 * @file `npm run bench:extract -- IMAGES [MODEL]`: descriptors of a folder of photographs from file to unit row, decoding
 * included, in images per second: by the graph that is compiled for all sizes, by one that is recorded for each, and by PyTorch (DenseNet-121,
 * 320 px, one image at a time, a loader process of its own). Parts of the folder in turns, so that a drift of the machine meets all.
 *
 * The photographs are cut so that each has a shape of its own, as those of a museum or an archive have.
 *
 *   npm run bench:extract -- IMAGES [MODEL.safetensors] [--photographs 300] [--same-shapes] [--no-peer]
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type * as tf from '@tensorflow/tfjs-core';
import { startEngine } from '../../src/backend/index.js';
import { listImages } from '../../src/data/image-list.js';
import { decodeImage } from '../../src/data/images.js';
import { loadModel } from '../../src/data/model-file.js';
import { sharp } from '../../src/data/raster-loaders.js';
import { defaultMeta, initialWeights } from '../../src/models/architectures.js';
import { DescriptorModel } from '../../src/models/descriptor.js';
import { type Describer, describeImages } from '../../src/retrieval/describe.js';
import { clock, peerWorker, print, rounded } from './process.js';

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    photographs: { type: 'string', default: '300' },
    'same-shapes': { type: 'boolean', default: false },
    'no-peer': { type: 'boolean', default: false },
  },
});
const [source, modelFile] = positionals;
if (source === undefined) throw new Error('usage: bench:extract -- IMAGES [MODEL.safetensors]');
const longest = 320;
const parts = 4;
/** As many as are described on a thread each. */
const warmUp = 32;

await startEngine({ device: 'cpu' });
const model = modelFile
  ? await loadModel(modelFile)
  : DescriptorModel.create(defaultMeta('densenet121'), initialWeights('densenet121', 1));
/** Describes by a graph for every image shape. */
const recorded: Describer = {
  describe: (images: tf.Tensor4D) =>
    model.describeFromPrefix(model.prefix(images, 'none'), 'none', [images.shape[1], images.shape[2]]),
};
const listed = (await listImages(source)).slice(0, Number(options.photographs) + warmUp).map(({ path }) => path);
const folder = mkdtempSync(join(tmpdir(), 'rmac-bench-'));
const paths = options['same-shapes'] ? listed : await Promise.all(listed.map(cut));
const share = Math.floor((paths.length - warmUp) / parts);
const peer = options['no-peer']
  ? undefined
  : peerWorker('extract.py', [String(longest), String(availableParallelism())]);
await peer?.answer();

/** A copy of a photograph cut so that the shorter side has `longest` - i / 2 px when the longer has `longest`; both ways round. */
async function cut(path: string, i: number): Promise<string> {
  const { data, width, height } = await decodeImage(path);
  const sides = [longest, longest - Math.ceil(i / 2)];
  const [wide, tall] = i % 2 === 0 ? sides : sides.toReversed();
  const scale = Math.min(width / wide, height / tall);
  const file = join(folder, `${String(i).padStart(4, '0')}.jpg`);
  await sharp(data, { raw: { width, height, channels: 3 } })
    .extract({ left: 0, top: 0, width: Math.round(wide * scale), height: Math.round(tall * scale) })
    .jpeg({ quality: 90 })
    .toFile(file);
  return file;
}

/** Milliseconds to describe these files, and their descriptors. */
async function timed(describer: Describer, items: readonly string[]) {
  const elapsed = clock();
  const rows: Float32Array[] = [];
  for await (const result of describeImages(describer, items, (path) => ({ path }), { sizing: { longest } })) {
    if ('error' in result) throw result.error;
    rows.push(result.descriptor);
  }
  return { ms: elapsed().ms, rows };
}

let largestDifference = 0;
const total = { ours: 0, recorded: 0, peer: 0 };
try {
  for (const describer of [model, recorded]) await timed(describer, paths.slice(0, warmUp));
  for (let part = 0; part < parts; part++) {
    const items = paths.slice(warmUp + part * share, warmUp + (part + 1) * share);
    const [ours, other] = [await timed(model, items), await timed(recorded, items)];
    total.ours += ours.ms;
    total.recorded += other.ms;
    if (peer) total.peer += (await peer.ask(JSON.stringify(items))) as number;
    ours.rows.forEach((row, i) => {
      row.forEach((value, j) => (largestDifference = Math.max(largestDifference, Math.abs(value - other.rows[i][j]))));
    });
  }
} finally {
  rmSync(folder, { recursive: true });
}
const rate = (ms: number) => rounded((1000 * share * parts) / ms, 1);
const result = {
  images: share * parts,
  shapes: options['same-shapes'] ? 'as they are' : share * parts,
  network: model.meta.architecture,
  longest,
  ours_per_s: rate(total.ours),
  recorded_per_s: rate(total.recorded),
  against_recorded: rounded(total.recorded / total.ours, 3),
  largest_difference: largestDifference,
  peer: 'pytorch-cpu',
  peer_per_s: peer ? rate(total.peer) : null,
  speedup: peer ? rounded(total.peer / total.ours, 3) : null,
};
print(result);
peer?.close();
process.exit(0);
