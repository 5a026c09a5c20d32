/**
 * @file `rmac doctor --kernels`: which tfjs kernels the engine computes itself, which it hands on, and which ONNX operators of a
 * training step an accelerated device leaves to the CPU.
 */
import { InputError, messageOf, UsageError } from '../errors.js';
import type { PlacedOperator } from '../backend/placement.js';
import type { RgbImage } from '../data/rgb-image.js';
import type { PoolingKind } from '../models/meta.js';
import type { LoadedInput } from '../train/image-inputs.js';
import { type CommonOptions, printResult, say } from './console.js';

/** One network of each kind of layer: plain, normalized across channels, dense, channel by channel, residual. */
const steps: readonly [network: string, pooling: PoolingKind][] = [
  ['rmac-small', 'rmac'],
  ['rmac-small', 'gem'],
  ['alexnet', 'rmac'],
  ['densenet121', 'rmac'],
  ['mobilenet-v2-tv', 'rmac'],
  ['resnet18-tv', 'rmac'],
];

interface NetworkReport {
  network: string;
  pooling: PoolingKind;
  nodes: number;
  operators: PlacedOperator[];
  /** Operators that the CPU provider computed although another device was asked for. */
  leftToCpu: PlacedOperator[];
  /** Kernels that ran in tfjs's JavaScript backend. */
  forwarded: number;
}

interface KernelReport {
  device: string;
  kernels: { native: string[]; forwarded: Readonly<Record<string, readonly string[]>>; missing: string[] };
  trainingStep: NetworkReport[];
}

export async function listKernels(options: CommonOptions & { arch?: string }): Promise<void> {
  const { devices } = await import('../backend/index.js');
  const device = devices.find((name) => name === options.device);
  if (device === undefined || device === 'tensorflow') {
    const known = devices.filter((name) => name !== 'tensorflow');
    throw new UsageError(`--kernels lists the project's own engine: --device ${known.join(', ')}.`);
  }
  const { architectureNamed } = await import('../models/architectures.js');
  const wanted: typeof steps = options.arch === undefined ? steps : [[architectureNamed(options.arch).name, 'rmac']];
  const report: KernelReport = { device, kernels: await kernelLists(), trainingStep: [] };
  const { cpuProvider, operatorPlacement } = await import('../backend/placement.js');
  for (const [network, pooling] of wanted) {
    say(`training step of ${network}, ${pooling}, on ${device}`);
    let forwarded = 0;
    let operators: PlacedOperator[];
    try {
      operators = await operatorPlacement({ device, threads: options.threads }, async () => {
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
  printResult(report, textOf(report), options);
}

async function kernelLists(): Promise<KernelReport['kernels']> {
  const tf = await import('@tensorflow/tfjs-core');
  const { forwardedKernels } = await import('../backend/index.js');
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
  const { engineStats } = await import('../backend/index.js');
  const { defaultMeta, initialWeights } = await import('../models/architectures.js');
  const { DescriptorModel } = await import('../models/descriptor.js');
  const { GradientAccumulator } = await import('../train/gradients.js');
  const { ImageInputs } = await import('../train/image-inputs.js');
  const { Optimizer } = await import('../train/optimizer.js');
  const { tripletBatch } = await import('../train/ranking/ranking-batches.js');
  const { DirectSource } = await import('../train/ranking/direct-source.js');
  const { rankingStep } = await import('../train/ranking/ranking-step.js');
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
  // The query is its own positive: unit vectors then always violate a margin of 2 unless they are opposite.
  const options = { variables, accumulator, nameOf: (seed: number) => `image ${seed}` };
  await rankingStep(tripletBatch([[1, 1, 2]], { margin: 2 }), source, options);
  await optimizer.update(accumulator, 1e-3, 0);
  return engineStats()?.forwarded ?? 0;
}

function noise(seed: number): RgbImage {
  const [width, height] = [96, 64];
  const values = { length: width * height * 3 };
  return { data: Uint8Array.from(values, (_, i) => 127 + 127 * Math.sin(seed * 91.7 + i * 1.3)), width, height };
}

function textOf({ device, kernels, trainingStep }: KernelReport): string {
  const forwarded = Object.entries(kernels.forwarded);
  const count = forwarded.reduce((sum, [, names]) => sum + names.length, 0);
  return [
    `computed by the engine: ${kernels.native.length} tfjs kernels`,
    ...wrapped(kernels.native),
    `handed to tfjs's JavaScript backend: ${count}`,
    ...forwarded.flatMap(([reason, names]) => [`  ${reason}:`, ...wrapped(names, '    ')]),
    ...(kernels.missing.length > 0
      ? [`in tfjs's own backends only: ${kernels.missing.length}`, ...wrapped(kernels.missing)]
      : []),
    `training step on ${device} (two images, triplet loss, momentum):`,
    ...trainingStep.map((step) => `  ${`${step.network}, ${step.pooling}`.padEnd(21)} ${placementText(device, step)}`),
  ].join('\n');
}

function placementText(device: string, { operators, nodes, leftToCpu, forwarded }: NetworkReport): string {
  const kinds = new Set(operators.map(({ operator }) => operator)).size;
  const left = leftToCpu.map((entry) => `${entry.nodes} ${entry.operator}`).join(', ');
  const copies = operators
    .filter(({ operator }) => operator.startsWith('Memcpy'))
    .reduce((sum, entry) => sum + entry.nodes, 0);
  return (
    `${nodes.toLocaleString('en')} nodes of ${kinds} operators; ` +
    (left === '' ? `all on ${device}` : `left to the CPU: ${left}; ${copies} copies between`) +
    (forwarded === 0 ? '' : `; ${forwarded} kernels in JavaScript`)
  );
}

/** Names in lines of at most 100 characters. */
function wrapped(names: readonly string[], indent = '  '): string[] {
  const lines: string[] = [];
  for (const name of names) {
    const last = lines.at(-1);
    if (last === undefined || last.length + name.length + 2 > 100) lines.push(indent + name);
    else lines[lines.length - 1] = `${last} ${name}`;
  }
  return lines;
}
