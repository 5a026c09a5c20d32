/**
 * @file Which tfjs kernels the engine computes itself, which it hands on, and which ONNX operators of a
 * training step an accelerated device leaves to the CPU.
 */
import * as tf from '@tensorflow/tfjs-core';
import { devices, engineStats, forwardedKernels } from '../backend/index.js';
import { cpuProvider, operatorPlacement, type PlacedOperator } from '../backend/placement.js';
import type { RgbImage } from '../data/rgb-image.js';
import { InputError, messageOf, UsageError } from '../errors.js';
import { architectureNamed, defaultMeta, initialWeights } from '../models/architectures.js';
import { DescriptorModel } from '../models/descriptor.js';
import type { PoolingKind } from '../models/meta.js';
import { GradientAccumulator } from '../train/gradients.js';
import { ImageInputs, type LoadedInput } from '../train/image-inputs.js';
import { Optimizer } from '../train/optimizer.js';
import { tripletBatch } from '../train/ranking/ranking-batches.js';
import { DirectSource } from '../train/ranking/direct-source.js';
import { rankingStep } from '../train/ranking/ranking-step.js';
import { silentView, type StageContext } from './context.js';
import type { EngineChoice } from './open-model.js';

/** One network of each kind of layer: plain, normalized across channels, dense, channel by channel, residual, gated, layer norm, attention. */
const steps: readonly [network: string, pooling: PoolingKind][] = [
  ['rmac-small', 'rmac'],
  ['rmac-small', 'gem'],
  ['alexnet', 'rmac'],
  ['densenet121', 'rmac'],
  ['mobilenet-v2-tv', 'rmac'],
  ['resnet18-tv', 'rmac'],
  ['efficientnet-b0-tv', 'rmac'],
  ['convnext-tiny', 'rmac'],
  ['vit-s16', 'cls'],
];

/** Where the operators of one network's training step run. */
export interface NetworkReport {
  network: string;
  pooling: PoolingKind;
  nodes: number;
  operators: PlacedOperator[];
  /** Operators that the CPU provider computed although another device was asked for. */
  leftToCpu: PlacedOperator[];
  /** Kernels that ran in tfjs's JavaScript backend. */
  forwarded: number;
}

/** What the engine computes itself, and where a training step runs on a device. */
export interface KernelReport {
  device: string;
  kernels: { native: string[]; forwarded: Readonly<Record<string, readonly string[]>>; missing: string[] };
  trainingStep: NetworkReport[];
}

/**
 * Lists the kernels, and runs a training step of one network of each kind, or of `arch` alone.
 * @throws UsageError for a device that is not the engine's, InputError for one that this machine does not have.
 */
export async function listKernels(
  { device: name = 'cpu', threads, arch }: EngineChoice & { arch?: string } = {},
  { view = silentView }: StageContext = {},
): Promise<KernelReport> {
  const device = devices.find((one) => one === name);
  if (device === undefined || device === 'tensorflow') {
    const known = devices.filter((one) => one !== 'tensorflow');
    throw new UsageError(`--kernels lists the project's own engine: --device ${known.join(', ')}.`);
  }
  const wanted: typeof steps = arch === undefined ? steps : [[architectureNamed(arch).name, 'rmac']];
  const report: KernelReport = { device, kernels: kernelLists(), trainingStep: [] };
  for (const [network, pooling] of wanted) {
    view.note(`training step of ${network}, ${pooling}, on ${device}`);
    let forwarded = 0;
    let operators: PlacedOperator[];
    try {
      operators = await operatorPlacement({ device, threads }, async () => {
        forwarded = await trainOnNoise(network, pooling);
      });
    } catch (error) {
      throw new InputError(messageOf(error));
    }
    report.trainingStep.push({
      network,
      pooling,
      nodes: operators.reduce((sum, { nodes }) => sum + nodes, 0),
      operators,
      leftToCpu: device === 'cpu' ? [] : operators.filter(({ provider }) => provider === cpuProvider),
      forwarded,
    });
  }
  return report;
}

function kernelLists(): KernelReport['kernels'] {
  const namesOf = (backend: string) => (tf.getKernelsForBackend(backend) ?? []).map(({ kernelName }) => kernelName);
  const ours = new Set(namesOf('onnx'));
  const handedOn = new Set(Object.values(forwardedKernels).flat());
  return {
    native: [...ours].filter((name) => !handedOn.has(name)).toSorted(),
    forwarded: forwardedKernels,
    missing: [...new Set([...namesOf('cpu'), ...namesOf('webgl')])].filter((name) => !ours.has(name)).toSorted(),
  };
}

/**
 * One update as training does it: descriptors, triplet loss, replay of every image, momentum with clipping and decay.
 * Returns how many kernels were handed on.
 */
async function trainOnNoise(network: string, pooling: PoolingKind): Promise<number> {
  const model = DescriptorModel.create(
    defaultMeta(network, { pooling: { kind: pooling } }),
    initialWeights(network, 1),
  );
  const variables = model.trainable('none');
  const accumulator = new GradientAccumulator();
  const decay = { momentum: 0.9, weightDecay: 1e-4, weightDecayOn: 'all', clipGradientNorm: 1 } as const;
  const optimizer = new Optimizer(variables, decay);
  const inputs = new ImageInputs(model, { freeze: 'none', imageSize: 96, cacheBytes: 0 });
  const source = new DirectSource({
    async *load(seeds: readonly number[]): AsyncGenerator<LoadedInput<number>> {
      for (const seed of seeds) yield { item: seed, input: { kind: 'pixels', image: noise(seed) } };
    },
    describe: inputs.describe.bind(inputs),
    inBlocks: inputs.inBlocks.bind(inputs),
  });
  // The query is its own positive: unit vectors then always violate a margin of 4 unless they are opposite.
  const options = { variables, accumulator, nameOf: (seed: number) => `image ${seed}` };
  await rankingStep(tripletBatch([[1, 1, 2]], { margin: 4 }), source, options);
  await optimizer.update(accumulator, 1e-3, 0);
  return engineStats()?.forwarded ?? 0;
}

function noise(seed: number): RgbImage {
  const [width, height] = [96, 64];
  const values = { length: width * height * 3 };
  return { data: Uint8Array.from(values, (_, i) => 127 + 127 * Math.sin(seed * 91.7 + i * 1.3)), width, height };
}
