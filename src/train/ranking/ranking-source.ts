/**
 * @file Where an update gets its images: inputs of the trunk, described with the weights as they are, and again on a tape.
 *
 * Where regions are proposals, the first description finds them, and the second pools the very same cells: the weights have not
 * changed in between, and what is differentiated is what the loss was computed on.
 */
import * as tf from '@tensorflow/tfjs';
import { InputError } from '../../errors.js';
import { toTensor } from '../../data/images.js';
import type { ImageSides } from '../../rpn/box-rows.js';
import type { RpnHead } from '../../rpn/head.js';
import { assertProposals } from '../../rpn/proposal-describer.js';
import { type ChosenRegions, ProposalPooling } from '../../rpn/proposal-pooling.js';
import {
  type DescriptorInBlocks,
  ImageInputs,
  type LoadedInput,
  type TrunkInput,
  type ViewedImage,
} from '../image-inputs.js';
import type { ReplaySource } from '../replay.js';
import type { TrainableModel } from '../trainable-model.js';
import type { TripletConfig } from './triplet-config.js';

/** An image with the weights as they are. */
export interface Observed {
  /** [D] */
  descriptor: Float32Array;
  /** The same computation for a tape. */
  replay: ReplaySource<TrunkInput>;
  /** Memory that `replay` holds. */
  bytes: number;
}

/** How images become descriptors: always in the same way, or in one that is found when an image is observed. */
export type Observing = ReplaySource<TrunkInput> | { observe(input: TrunkInput): Promise<Observed> };

/** Where images come from and how they become descriptors. */
export type RankingSource<T> = Observing & { load(items: readonly T[]): AsyncIterable<LoadedInput<T>> };

/** A source of images as files. */
export type ImageSource = RankingSource<ViewedImage> & {
  /** Drops what later updates will not meet again. */
  forgetOnce(items: Iterable<ViewedImage>): void;
  /** Decodes the first of these in the background. */
  prefetch(items: readonly ViewedImage[]): void;
  /** Milliseconds spent waiting for images so far. */
  waitedMs(): number;
};

/** Describes an image with the weights as they are. */
export async function observe(source: Observing, input: TrunkInput): Promise<Observed> {
  if ('observe' in source) return source.observe(input);
  const descriptor = source.describe(input);
  try {
    // A copy: the backend may own the memory it returns.
    return { descriptor: Float32Array.from(await descriptor.data<'float32'>()), replay: source, bytes: 0 };
  } finally {
    descriptor.dispose();
  }
}

/** The source for a model's own regions. `head` is needed where they are proposals. */
export function imageSource(
  model: TrainableModel,
  {
    head,
    ...options
  }: Pick<TripletConfig, 'freeze' | 'imageSize'> & { cacheBytes: number; head?: RpnHead | undefined },
): ImageSource {
  const inputs = new ImageInputs(model, options);
  const files = {
    load: (items: readonly ViewedImage[]) => inputs.load(items),
    forgetOnce: (items: Iterable<ViewedImage>) => inputs.forgetOnce(items),
    prefetch: (items: readonly ViewedImage[]) => void inputs.prefetch(items),
    waitedMs: () => inputs.waitedMs,
  };
  const { regions } = model.meta;
  if (regions === undefined) {
    return { ...files, describe: inputs.describe.bind(inputs), inBlocks: inputs.inBlocks.bind(inputs) };
  }
  assertProposals(model.meta);
  if (head === undefined) throw new InputError('A model that pools proposals trains with its network of proposals.');
  const source = new ProposalSource(model, inputs, {
    freeze: options.freeze,
    pooling: new ProposalPooling(model, head, regions),
  });
  return { ...files, observe: (input) => source.observe(input) };
}

/** Describes images by the proposals of the weights as they are. */
class ProposalSource {
  constructor(
    private readonly model: TrainableModel,
    private readonly inputs: ImageInputs,
    private readonly options: { freeze: string; pooling: ProposalPooling },
  ) {}

  async observe(input: TrunkInput): Promise<Observed> {
    const { pooling } = this.options;
    // Kept together, so that one run of the engine computes both.
    const [map, head] = tf.tidy((): [tf.Tensor4D, tf.Tensor1D] => {
      const x = this.mapOf(input);
      return [x, pooling.headValues(x)];
    });
    let chosen: ChosenRegions;
    try {
      const headValues = await head.data<'float32'>();
      const values = await map.data<'float32'>();
      chosen = pooling.choose({ values, shape: map.shape }, headValues, sidesOf(input));
    } finally {
      tf.dispose([map, head]);
    }
    const row = pooling.describe(chosen);
    const descriptor = Float32Array.from(await row.data<'float32'>());
    row.dispose();
    const { positions, weights } = chosen;
    return {
      descriptor,
      replay: this.replayOf({ positions, weights }),
      bytes: positions.byteLength + weights.byteLength,
    };
  }

  private replayOf(chosen: Pick<ChosenRegions, 'positions' | 'weights'>): ReplaySource<TrunkInput> {
    const { pooling } = this.options;
    return {
      describe: (input) => tf.tidy(() => pooling.pool(this.mapOf(input), chosen)),
      inBlocks: (input): DescriptorInBlocks => {
        const { start, blocks } = this.inputs.inBlocks(input);
        const trunk = blocks.slice(0, -1);
        const { variables } = blocks[blocks.length - 1]; // pooling by the grid and what follows
        return { start, blocks: [...trunk, { run: (map) => pooling.pool(map as tf.Tensor4D, chosen), variables }] };
      },
    };
  }

  private mapOf(input: TrunkInput): tf.Tensor4D {
    const { model } = this;
    return tf.tidy(() =>
      input.kind === 'map'
        ? model.mapFromPrefix(tf.tensor(input.values, input.shape), this.options.freeze)
        : model.featureMap(toTensor(input.image)),
    );
  }
}

function sidesOf(input: TrunkInput): ImageSides {
  if (input.kind === 'pixels') return { height: input.image.height, width: input.image.width };
  const [height, width] = input.imageSizePx;
  return { height, width };
}
