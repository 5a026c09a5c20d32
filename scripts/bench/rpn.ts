/**
 * @file `npm run bench:rpn -- [--rounds N] [--size PX] [NETWORK...]`: what proposals cost, as ratios. For VGG-16 and DenseNet-121 with
 * random weights on a 4:3 image of 724 px, one thread:
 *
 *   share         proposals / (trunk + proposals): head, decoding, sorting and suppression to 64 boxes
 *   describe      a descriptor by 64 proposals / by the grid, from pixels
 *   pool          the same from the map: proposals and pooling / pooling the grid
 *
 * The kinds take turns in every round, and a ratio is the median over rounds of the ratio within one, so that a drift of the machine
 * meets both. From CPU time of the process (that of other programs does not count) and from wall time. Prints a JSON line per network,
 * then one of the suppression of 6000 random boxes to 300.
 */
import { parseArgs } from 'node:util';
import * as tf from '@tensorflow/tfjs';
import { startEngine } from '../../src/backend/index.js';
import { defaultMeta, initialWeights } from '../../src/models/architectures.js';
import { DescriptorModel } from '../../src/models/descriptor.js';
import { landmarkAnchors } from '../../src/rpn/anchors.js';
import { initialRpn, RpnHead } from '../../src/rpn/head.js';
import { suppressOverlapping } from '../../src/rpn/non-maximum-suppression.js';
import { ProposalDescriber } from '../../src/rpn/proposal-describer.js';
import { propose } from '../../src/rpn/propose.js';
import { RandomStream } from '../../src/train/random.js';
import { clock, median, print, rounded } from './process.js';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: 'string', default: '7' },
    size: { type: 'string', default: '724' },
    channels: { type: 'string', default: '512' },
  },
});
const [rounds, size, channels] = [values.rounds, values.size, values.channels].map(Number);
const proposals = 64;
const networks = positionals.length > 0 ? positionals : ['vgg16', 'densenet121'];

await startEngine({ device: 'cpu', threads: 1 });
for (const network of networks) print(measure(network));
print({ suppression: suppression() });
process.exit(0);

interface Times {
  cpu: number;
  wall: number;
}

function measure(network: string) {
  const random = new RandomStream(1);
  const { scales, ...anchors } = landmarkAnchors(size);
  const meta = { ...defaultMeta(network), imageSize: size };
  const rpn = { anchors: { ...anchors, scales: [...scales], ratios: [...anchors.ratios] }, channels };
  const weights = initialWeights(network, 1);
  const plain = DescriptorModel.create(meta, weights);
  const model = DescriptorModel.create(
    { ...meta, rpn },
    new Map([...weights, ...initialRpn(rpn, plain.channels, random)]),
  );
  plain.dispose();
  const { stride } = model;
  const image = { height: Math.round((size * 3) / 4), width: size };
  const picture = Float32Array.from({ length: image.height * image.width * 3 }, () => 255 * random.next());
  // New tensors for every run, as in use: work on the same ones is never seen to depend on anything but weights.
  const pixels = () => tf.tensor4d(picture, [1, image.height, image.width, 3]);
  const head = new RpnHead(rpn, model.channels, model.rpnWeights);
  const describer = new ProposalDescriber(model, { proposals });
  const [mapValues, mapShape] = tf.tidy(() => {
    const features = model.featureMap(pixels());
    return [features.dataSync<'float32'>(), features.shape] as const;
  });
  const map = () => tf.tensor4d(mapValues, mapShape);
  const read = (work: () => tf.Tensor) => () => {
    tf.tidy(() => {
      work().dataSync();
    });
  };
  const kinds = {
    trunk: read(() => model.featureMap(pixels())),
    propose: () => {
      tf.tidy(() => {
        propose(head, map(), { image, stride, count: proposals });
      });
    },
    describeGrid: read(() => model.describe(pixels())),
    describeProposals: read(() => describer.describe(pixels())),
    poolGrid: read(() => model.pool(map(), [image.height, image.width])),
    poolProposals: read(() => describer.pool(map(), image)),
  };
  type Kind = keyof typeof kinds;
  const measured = new Map<Kind, Times[]>();
  for (let round = -2; round < rounds; round++) {
    for (const [kind, work] of Object.entries(kinds) as [Kind, () => void][]) {
      const times = timed(work);
      if (round >= 0) measured.set(kind, [...(measured.get(kind) ?? []), times]); // the first rounds compile graphs and keep reordered weights
    }
  }
  const of = (kind: Kind, time: keyof Times, round: number) => measured.get(kind)![round][time];
  const ratios = (ratio: (time: keyof Times, round: number) => number) => {
    const over = (time: keyof Times) => rounded(median(Array.from({ length: rounds }, (_, i) => ratio(time, i))), 3);
    return { cpu: over('cpu'), wall: over('wall') };
  };
  const medians = (time: keyof Times) =>
    Object.fromEntries([...measured].map(([kind, all]) => [kind, rounded(median(all.map((one) => one[time])), 1)]));
  const result = {
    network,
    pixels: `${image.width}x${image.height}`,
    map: `${mapShape[2]}x${mapShape[1]}x${mapShape[3]}`,
    headChannels: channels,
    proposals,
    rounds,
    share: ratios((time, i) => of('propose', time, i) / (of('trunk', time, i) + of('propose', time, i))),
    describe: ratios((time, i) => of('describeProposals', time, i) / of('describeGrid', time, i)),
    pool: ratios((time, i) => of('poolProposals', time, i) / of('poolGrid', time, i)),
    cpuMs: medians('cpu'),
    wallMs: medians('wall'),
  };
  for (const part of [head, describer, model]) part.dispose();
  return result;
}

/** Boxes spread over the image, and in a cluster. */
function suppression() {
  return [1, 0.15].map((spread) => {
    const random = new RandomStream(1);
    const rows = Float32Array.from(
      Array.from({ length: 6000 }, () => {
        const [cy, cx] = [120 + spread * random.between(-100, 100), 160 + spread * random.between(-140, 140)];
        const [height, width] = [random.between(40, 200), random.between(40, 260)];
        return [cy - height / 2, cx - width / 2, cy + height / 2, cx + width / 2];
      }).flat(),
    );
    let kept = 0;
    const times = Array.from({ length: 41 }, () =>
      timed(() => {
        kept = suppressOverlapping(rows, { most: 300 }).length;
      }),
    );
    return { spread, kept, cpuMs: rounded(median(times.map(({ cpu }) => cpu)), 1) };
  });
}

function timed(work: () => void): Times {
  const elapsed = clock();
  work();
  const { ms, cpuMs } = elapsed();
  return { cpu: cpuMs, wall: ms };
}
