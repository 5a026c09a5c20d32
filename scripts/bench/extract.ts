/**
 * @file `npm run bench:extract -- IMAGES [MODEL]`: descriptors of a folder of photographs from file to unit row, decoding
 * included, in images per second, against PyTorch doing the same (DenseNet-121, 320 px, one image at a time, a loader
 * process of its own). Halves of the folder in turns, so that a drift of the machine meets both.
 */
import { availableParallelism } from 'node:os';
import { startEngine } from '../../src/backend/index.js';
import { loadModel } from '../../src/data/model-file.js';
import { defaultMeta, initialWeights } from '../../src/models/architectures.js';
import { DescriptorModel } from '../../src/models/descriptor.js';
import { describeImages } from '../../src/retrieval/describe.js';
import { listImages } from '../../src/data/image-list.js';
import { clock, peerWorker, print, rounded } from './process.js';

const [source, modelFile] = process.argv.slice(2).filter((argument) => !argument.startsWith('--'));
if (source === undefined) throw new Error('usage: bench:extract -- IMAGES [MODEL.safetensors]');
const longest = 320;
const parts = 4;

await startEngine({ device: 'cpu' });
const model = modelFile
  ? await loadModel(modelFile)
  : DescriptorModel.create(defaultMeta('densenet121'), initialWeights('densenet121', 1));
const images = (await listImages(source)).slice(0, 400);
const share = Math.floor(images.length / parts);
const peer = peerWorker('extract.py', [String(longest), String(availableParallelism())]);
await peer?.answer();

async function ours(items: typeof images): Promise<number> {
  const elapsed = clock();
  let failed = 0;
  for await (const result of describeImages(model, items, ({ path }) => ({ path }), { sizing: { longest } })) {
    if ('error' in result) failed++;
  }
  if (failed > 0) throw new Error(`${failed} images could not be read`);
  return elapsed().ms;
}

await ours(images.slice(0, 5));
const total = { ours: 0, peer: 0 };
for (let part = 0; part < parts; part++) {
  const items = images.slice(part * share, (part + 1) * share);
  total.ours += await ours(items);
  if (peer) total.peer += (await peer.ask(JSON.stringify(items.map(({ path }) => path)))) as number;
}
const rate = (ms: number) => rounded((1000 * share * parts) / ms, 1);
const result = {
  images: share * parts,
  network: 'densenet121',
  longest,
  ours_per_s: rate(total.ours),
  peer: 'pytorch-cpu',
  peer_per_s: peer ? rate(total.peer) : null,
  speedup: peer ? rounded(total.peer / total.ours, 3) : null,
};
print(result);
process.exit(0);
