/**
 * @file Every backbone against its reference with random weights on odd image sizes: torchvision, or the network written out
 * in torch operations where torchvision does not have it. Weights and images come from an integer
 * hash that scripts/reference-torchvision.py computes too; only its results are stored, in test/golden.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs';
import { describe, expect, test } from 'vitest';
import { parametersOf } from '../../src/models/architecture.js';
import { architectureNamed, defaultMeta } from '../../src/models/architectures.js';
import { DescriptorModel } from '../../src/models/descriptor.js';
import { importWeights } from '../../src/models/import-weights.js';
import type { NamedArrays } from '../../src/models/safetensors.js';
import { sourceTensors, type WeightLayout } from '../../src/models/weight-names.js';
import { expectClose, relativeDistance } from '../support/close.js';
import '../support/engine.js';
import { readGoldenNpy } from '../support/npy.js';

/** FNV-1a of the name, plus a golden-ratio stride, through the lowbias32 mixer: `count` values of `from` u in [-1, 1). */
function uniform(name: string, count: number, from: (u: number) => number): Float32Array {
  let seed = 0x811c9dc5;
  for (const byte of Buffer.from(name)) seed = Math.imul(seed ^ byte, 0x01000193);
  const values = new Float32Array(count);
  for (let i = 0; i < count; i++) {
    let x = (Math.imul(i, 0x9e3779b9) + seed) | 0;
    x = Math.imul(x ^ (x >>> 16), 0x7feb352d);
    x = Math.imul(x ^ (x >>> 15), 0x846ca68b);
    values[i] = from(((x ^ (x >>> 16)) >>> 0) / 2 ** 31 - 1);
  }
  return values;
}

function hashedTensor(name: string, shape: number[]): Float32Array {
  const count = shape.reduce((a, b) => a * b, 1);
  if (shape.length === 4) {
    const keras = name.includes('/');
    const outputs = !keras ? shape[0] : name.endsWith('depthwise_kernel') ? shape[2] : shape[3];
    const bound = Math.sqrt((6 * outputs) / count);
    return uniform(name, count, (u) => u * bound);
  }
  if (shape.length === 2) return uniform(name, count, (u) => u * Math.sqrt(6 / shape[1]));
  if (/layer_scale$|\.gamma$/.test(name)) return uniform(name, count, (u) => u / 2 + 0.5);
  if (/running_var$|moving_variance$/.test(name)) return uniform(name, count, (u) => 1 + u / 2);
  if (/\.weight$|\/gamma$/.test(name)) return uniform(name, count, (u) => 1 + u / 4);
  return uniform(name, count, (u) => u / 10);
}

const ones = (count: number) => new Array<number>(count).fill(1);

/** Weights as the framework would have saved them: its names, its order of a kernel's axes. */
function stateDict(architecture: string, layout: WeightLayout): NamedArrays {
  const { layers } = architectureNamed(architecture);
  return new Map(
    parametersOf(layers).map((parameter) => {
      const [h, w, i, o] = parameter.shape;
      const { name, ones: [before, behind] = [0, 0] } = sourceTensors(architecture, parameter, layout)[0];
      let { shape } = parameter;
      if (parameter.kind !== 'kernel') shape = [...ones(before), ...shape, ...ones(behind)];
      else if (shape.length === 2) shape = shape.toReversed();
      else if (layout !== 'keras') shape = [o, i, h, w];
      else if (name.endsWith('depthwise_kernel')) shape = [h, w, o, i];
      return [name, { shape, data: hashedTensor(name, shape) }];
    }),
  );
}

interface Golden {
  networks: Record<
    string,
    { image: [number, number]; map: number[]; sum: number; sumOfSquares: number; positionalSum: number }[]
  >;
}

const folder = join(import.meta.dirname, '../golden');
const golden = JSON.parse(readFileSync(join(folder, 'torchvision.json'), 'utf8')) as Golden;

interface Network {
  network: string;
  architecture: string;
  cut?: string;
  layout?: WeightLayout;
}

const networks: Network[] = [
  { network: 'alexnet', architecture: 'alexnet', cut: 'pool5', layout: 'caffe' },
  { network: 'alexnet-tv', architecture: 'alexnet-tv' },
  { network: 'convnext-tiny', architecture: 'convnext-tiny', cut: 'norm' },
  { network: 'convnext-small', architecture: 'convnext-small', cut: 'norm' },
  { network: 'mobilenet', architecture: 'mobilenet', layout: 'keras' },
  { network: 'mobilenet-v2-tv', architecture: 'mobilenet-v2-tv' },
  ...[0, 1, 2, 3].map((i) => ({ network: `efficientnet-b${i}-tv`, architecture: `efficientnet-b${i}-tv` })),
  { network: 'densenet121', architecture: 'densenet121' },
  { network: 'densenet169', architecture: 'densenet169' },
  { network: 'densenet201', architecture: 'densenet201' },
  { network: 'vgg16', architecture: 'vgg16' },
  { network: 'vgg16-pool5', architecture: 'vgg16', cut: 'pool5' },
  { network: 'vgg19', architecture: 'vgg19' },
  { network: 'resnet18-tv', architecture: 'resnet18-tv' },
  { network: 'resnet34-tv', architecture: 'resnet34-tv' },
  { network: 'resnet50-tv', architecture: 'resnet50-tv' },
  { network: 'resnet101-tv', architecture: 'resnet101-tv' },
  { network: 'resnet152-tv', architecture: 'resnet152-tv' },
  { network: 'resnet50-keras', architecture: 'resnet50-keras' },
  { network: 'resnet101-keras', architecture: 'resnet101-keras' },
  { network: 'resnet50-caffe', architecture: 'resnet50-caffe', layout: 'caffe' },
  { network: 'resnet101-caffe', architecture: 'resnet101-caffe', layout: 'caffe' },
  { network: 'resnet50', architecture: 'resnet50' },
  { network: 'vit-s16', architecture: 'vit-s16' },
  { network: 'vit-b16', architecture: 'vit-b16' },
  { network: 'dinov2-s14', architecture: 'dinov2-s14' },
  { network: 'dinov2-s14-reg', architecture: 'dinov2-s14-reg' },
  { network: 'dinov2-s14-reg-class', architecture: 'dinov2-s14-reg', cut: 'class' },
  { network: 'dinov2-b14-reg', architecture: 'dinov2-b14-reg' },
];

describe.each(networks)('$network', ({ network, architecture, cut, layout = 'torchvision' }) => {
  test('its map equals the reference to 1e-4 on odd sizes', async () => {
    const { meta, weights } = importWeights(stateDict(architecture, layout), 'reference', { architecture, cut });
    // Torch names mean torch's pixels and epsilon to the importer; the Keras flavours of the reference have their own.
    const keras = architecture === 'resnet50' || architecture.endsWith('-keras');
    const model = DescriptorModel.create(keras ? defaultMeta(architecture, { cut }) : meta, weights);
    for (const [index, expected] of golden.networks[network].entries()) {
      const [height, width] = expected.image;
      const pixels = uniform(`image ${height}x${width}`, height * width * 3, (u) => Math.floor((u + 1) * 128));
      const image = tf.tensor4d(pixels, [1, height, width, 3]);
      const map = tf.tidy(() => model.featureMap(image));
      expect(map.shape.slice(1)).toEqual(expected.map);
      const values = await map.data<'float32'>();
      const table = tabulate(values, expected.map);
      expectClose(
        [table.sum, table.sumOfSquares, table.positionalSum],
        [expected.sum, expected.sumOfSquares, expected.positionalSum],
        {
          absolute: 0,
          relative: 1e-4,
        },
      );
      if (index === 0) {
        const reference = readGoldenNpy(join(folder, `torchvision.${network}.npy`));
        const channels = expected.map[2];
        for (const [i, row] of table.rows.entries()) {
          expect(relativeDistance(row, reference.subarray(i * channels, (i + 1) * channels))).toBeLessThan(1e-4);
        }
      }
      tf.dispose([image, map]);
    }
    model.dispose();
  });
});

/** The reference's statistics of a map [h, w, C]: per-channel maximum, mean and position-weighted mean, and totals. */
function tabulate(map: Float32Array, [height, width, channels]: number[]) {
  const cells = height * width;
  const rows = [new Float64Array(channels).fill(-Infinity), new Float64Array(channels), new Float64Array(channels)];
  let sumOfSquares = 0;
  for (let cell = 0; cell < cells; cell++) {
    for (let c = 0; c < channels; c++) {
      const v = map[cell * channels + c];
      rows[0][c] = Math.max(rows[0][c], v);
      rows[1][c] += v / cells;
      rows[2][c] += (v * (cell + 1)) / cells ** 2;
      sumOfSquares += v * v;
    }
  }
  const total = (row: Float64Array) => row.reduce((a, b) => a + b, 0) * cells;
  return { rows, sum: total(rows[1]), positionalSum: total(rows[2]), sumOfSquares };
}
