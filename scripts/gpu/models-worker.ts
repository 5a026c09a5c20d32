/**
 * @file Descriptor and gradients of whole networks on a device against the engine on the CPU, and photographs described per second.
 * Arguments: device. `names 0` -> the networks; `network I` -> distances of the I-th; `extract N` -> milliseconds for N photographs.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import sharp from 'sharp';
import { type Device, startEngine } from '../../src/backend/index.js';
import { defaultMeta, initialWeights } from '../../src/models/architectures.js';
import { DescriptorModel } from '../../src/models/descriptor.js';
import { describeImages } from '../../src/retrieval/describe.js';
import { clock, noise, serve } from '../bench/process.js';

export interface NetworkOutcome {
  network: string;
  /** |device - CPU| / |CPU| of the descriptor; null: not finite. */
  descriptor: number | null;
  /** The same of the gradient by each variable: the largest, and where. */
  gradient: number | null;
  worst: string;
}

const device = (process.argv[2] ?? '') as Device;
const networks = ['rmac-small', 'resnet18-tv', 'mobilenet-v2-tv', 'densenet121', 'vgg16', 'resnet50-tv'];
const [height, width] = [96, 128];

function modelOf(network: string): DescriptorModel {
  return DescriptorModel.create(defaultMeta(network), initialWeights(network, 1));
}

async function vectorsOf(network: string, on: Device): Promise<Map<string, Float32Array>> {
  await startEngine({ device: on });
  const model = modelOf(network);
  const next = noise(7);
  const vectors = new Map<string, Float32Array>();
  tf.tidy(() => {
    const image = tf.tensor4d(
      Float32Array.from({ length: height * width * 3 }, () => 256 * next()),
      [1, height, width, 3],
    );
    const direction = tf.tensor1d(Float32Array.from({ length: model.dimension }, () => next() - 0.5));
    vectors.set('descriptor', model.describe(image).dataSync<'float32'>().slice());
    const { grads } = tf.variableGrads(
      () => model.describe(image).mul(direction).sum<tf.Scalar>(),
      [...model.variables.values()],
    );
    for (const [name, { name: key }] of model.variables) {
      if (grads[key] !== undefined) vectors.set(name, grads[key].dataSync<'float32'>().slice());
    }
  });
  model.dispose();
  return vectors;
}

async function outcomeOf(network: string): Promise<NetworkOutcome> {
  const [expected, actual] = [await vectorsOf(network, 'cpu'), await vectorsOf(network, device)];
  let [gradient, worst] = [0, ''];
  for (const [name, vector] of expected) {
    const distance = distanceOf(vector, actual.get(name));
    if (name === 'descriptor' || distance <= gradient) continue;
    [gradient, worst] = [Number.isNaN(distance) ? Number.POSITIVE_INFINITY : distance, name];
  }
  const descriptor = distanceOf(expected.get('descriptor')!, actual.get('descriptor'));
  const finite = (value: number) => (Number.isFinite(value) ? value : null);
  return { network, descriptor: finite(descriptor), gradient: finite(gradient), worst };
}

function distanceOf(expected: Float32Array, actual: Float32Array | undefined): number {
  if (actual?.length !== expected.length) return Number.POSITIVE_INFINITY;
  const squares = expected.reduce((sum, value) => sum + value ** 2, 0);
  const off = expected.reduce((sum, value, i) => sum + (value - actual[i]) ** 2, 0);
  return Math.sqrt(off / Math.max(squares, 1e-30));
}

/** Photographs of two shapes from files, decoding included, with ResNet-50 at 1,024 px. */
async function extract(count: number): Promise<number> {
  await startEngine({ device });
  const folder = await mkdtemp(join(tmpdir(), 'rmac-photographs-'));
  const model = modelOf('resnet50-tv');
  try {
    const next = noise(3);
    const files = await Promise.all(
      Array.from({ length: count }, async (_, i) => {
        const raw = { width: 64 + 32 * (i % 2), height: 64, channels: 3 as const };
        const pixels = Uint8Array.from({ length: raw.width * raw.height * 3 }, () => 256 * next());
        const file = join(folder, `${i}.jpg`);
        await sharp(pixels, { raw })
          .resize(1280, 960 - 192 * (i % 2))
          .jpeg()
          .toFile(file);
        return file;
      }),
    );
    const describe = async (some: readonly string[]) => {
      const sizing = { longest: 1024 };
      for await (const each of describeImages(model, some, (path) => ({ path }), { sizing })) {
        if ('error' in each) throw each.error;
      }
    };
    await describe(files.slice(0, 4));
    const elapsed = clock();
    await describe(files);
    return elapsed().ms;
  } finally {
    model.dispose();
    await rm(folder, { recursive: true });
  }
}

await serve({ names: () => networks, network: (i) => outcomeOf(networks[i]), extract });
