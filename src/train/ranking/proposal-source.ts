/**
 * @file Images described by the proposals of the weights as they are, and the loss of the proposals themselves where they learn with
 * the descriptor (Gordo et al. 2016, section 3.3, found that "difficult, unstable"): both from one map of the trunk. An image's
 * description finds its regions, and its replay pools the very same cells: the weights have not changed in between, and what is
 * differentiated is what the loss was computed on.
 */
import * as tf from '@tensorflow/tfjs-core';
import { toTensor } from '../../data/images.js';
import { uprightSize } from '../../data/upright-size.js';
import type { ImageSides } from '../../rpn/box-rows.js';
import type { RpnHead } from '../../rpn/head.js';
import { assertProposals } from '../../rpn/proposal-describer.js';
import { type ChosenRegions, ProposalPooling } from '../../rpn/proposal-pooling.js';
import type { Draws } from '../../rpn/sampler.js';
import type { ImageInputs, TrunkInput, ViewedImage } from '../image-inputs.js';
import { rpnConfigSchema } from '../proposals/rpn-config.js';
import { noTargets, type SampledTargets, sampledLoss, sampleTargets } from '../proposals/rpn-step.js';
import { type DescriptorForms, type DescriptorInBlocks, replay, replayInBlocks } from '../replay.js';
import type { TrainableModel } from '../trainable-model.js';
import {
  type DescribedImage,
  type ImageSource,
  type OwnLoss,
  readableInputs,
  type Sums,
  type UnreadableImage,
} from './image-source.js';
import { boxInView } from './viewed-box.js';

/** The loss of `train rpn` with its defaults. */
const settings = rpnConfigSchema.parse({});

/** Bytes of what was found that an update keeps for its replays, at most; other images are described once more. */
const maxKeptBytes = 2 ** 28;

/** What an image's replay pools and learns besides the ranking. */
interface Found {
  regions: Pick<ChosenRegions, 'positions' | 'weights'> | undefined;
  targets: SampledTargets | undefined;
}

interface Observed {
  descriptor: Float32Array;
  own: OwnLoss | undefined;
  found: Found;
}

export class ProposalSource implements ImageSource<ViewedImage> {
  private readonly pooling: ProposalPooling | undefined;
  private readonly originals = new Map<string, ImageSides>();
  /** Of the update's images, for their replay. */
  private kept = new Map<ViewedImage, Found>();

  constructor(
    private readonly model: TrainableModel,
    private readonly inputs: ImageInputs,
    private readonly options: {
      freeze: string;
      imageSize: number;
      head: RpnHead;
      /** Proposals learn; an image's anchors are drawn from this, the same ones where memory is short and it is observed again. */
      anchors: ((item: ViewedImage) => Draws) | undefined;
      /** Replay block by block. */
      recomputeActivations?: boolean;
    },
  ) {
    const { regions } = model.meta;
    if (regions === undefined) return;
    assertProposals(model.meta);
    this.pooling = new ProposalPooling(model, options.head, regions);
  }

  async *describePool(
    items: readonly ViewedImage[],
  ): AsyncGenerator<DescribedImage<ViewedImage> | UnreadableImage<ViewedImage>> {
    for await (const loaded of this.inputs.load(items)) {
      if ('error' in loaded) yield loaded;
      else yield { item: loaded.item, descriptor: (await this.observe(loaded.input)).descriptor };
    }
  }

  async *describe(
    items: readonly ViewedImage[],
  ): AsyncGenerator<DescribedImage<ViewedImage> | UnreadableImage<ViewedImage>> {
    this.kept = new Map();
    let keptBytes = 0;
    for await (const loaded of this.inputs.load(items)) {
      if ('error' in loaded) {
        yield loaded;
        continue;
      }
      const { item, input } = loaded;
      const { descriptor, own, found } = await this.observe(input, item);
      const bytes = found.regions ? found.regions.positions.byteLength + found.regions.weights.byteLength : 0;
      if (keptBytes + bytes <= maxKeptBytes) {
        this.kept.set(item, found);
        keptBytes += bytes;
      }
      yield { item, descriptor, own };
    }
  }

  async replay(
    items: readonly ViewedImage[],
    upstreamOf: (item: ViewedImage) => Float32Array,
    sums: Sums,
  ): Promise<UnreadableImage<ViewedImage>[]> {
    const replayOne = this.options.recomputeActivations ? replayInBlocks : replay;
    const unreadable: UnreadableImage<ViewedImage>[] = [];
    for await (const { item, input } of readableInputs(this.inputs.load(items), unreadable)) {
      if (unreadable.length > 0) break;
      const found = this.kept.get(item) ?? (await this.observe(input, item)).found;
      await replayOne(this.formsOf(found), input, { ...sums, upstream: upstreamOf(item) });
    }
    return unreadable;
  }

  /** The image with the weights as they are; without an item for its descriptor alone: there is no loss of its own. */
  private async observe(input: TrunkInput, item?: ViewedImage): Promise<Observed> {
    const { model, pooling } = this;
    const { head, anchors } = this.options;
    const box = anchors && item && (await this.boxOf(item));
    let targets: SampledTargets | undefined;
    // All that is read is held until then, so that one run of the engine computes it.
    const held = tf.tidy(() => {
      const map = this.mapOf(input);
      if (anchors !== undefined && item !== undefined) {
        targets = this.draw(map, { box, image: sidesOf(input) }, anchors(item));
      }
      const parts = targets && sampledLoss(head, map, targets, settings);
      return {
        map,
        ...(parts && { losses: tf.stack([parts.total, parts.objectness, parts.boxes]) }),
        // What is pooled is found from the head's values, or is the descriptor at once.
        output: pooling === undefined ? model.pool(map, sizeOf(input)) : pooling.headValues(map),
      };
    });
    try {
      const losses = held.losses && Array.from(await held.losses.data());
      const own: OwnLoss | undefined = losses && {
        learns: box !== undefined,
        loss: losses[0],
        objectness: losses[1],
        boxes: losses[2],
      };
      const output = await held.output.data<'float32'>();
      if (pooling === undefined) {
        return { descriptor: Float32Array.from(output), own, found: { regions: undefined, targets } };
      }
      const map = { values: await held.map.data<'float32'>(), shape: held.map.shape };
      const chosen = pooling.choose(map, output, sidesOf(input));
      const row = pooling.describe(chosen);
      const descriptor = Float32Array.from(await row.data<'float32'>());
      row.dispose();
      const { positions, weights } = chosen;
      return { descriptor, own, found: { regions: { positions, weights }, targets } };
    } finally {
      tf.dispose(Object.values(held));
    }
  }

  /** The computation that found these, for a tape: [1, D], or [1, D + 1] where it has targets. */
  private formsOf(found: Found): DescriptorForms<TrunkInput> {
    return {
      describe: (input) => tf.tidy(() => this.outputs(this.mapOf(input), sizeOf(input), found)),
      inBlocks: (input): DescriptorInBlocks => {
        const { start, blocks } = this.inputs.inBlocks(input);
        const { variables } = blocks[blocks.length - 1]; // of what follows pooling
        const run = (map: tf.Tensor) => this.outputs(map as tf.Tensor4D, sizeOf(input), found);
        const all = found.targets === undefined ? variables : new Map([...variables, ...this.options.head.variables]);
        return { start, blocks: [...blocks.slice(0, -1), { run, variables: all }] };
      },
    };
  }

  /** [1, D], or [1, D + 1] with the loss of the proposals. */
  private outputs(map: tf.Tensor4D, imageSize: [number, number], { regions, targets }: Found): tf.Tensor2D {
    return tf.tidy(() => {
      const row =
        regions === undefined || this.pooling === undefined
          ? this.model.pool(map, imageSize)
          : this.pooling.pool(map, regions);
      if (targets === undefined) return row;
      const { total } = sampledLoss(this.options.head, map, targets, settings);
      return tf.concat([row, total.reshape<tf.Tensor2D>([1, 1])], 1);
    });
  }

  /** The image's box in px of its view; undefined where it has none, or none of it is seen. */
  private async boxOf({ record, view }: ViewedImage): Promise<Float32Array | undefined> {
    if (record.box === undefined) return undefined;
    let original = this.originals.get(record.id);
    if (original === undefined) this.originals.set(record.id, (original = await uprightSize(record.path)));
    return boxInView(record.box, original, {
      view,
      imageSize: this.options.imageSize,
      stride: this.model.stride,
    });
  }

  private draw(
    { shape }: tf.Tensor4D,
    { box, image }: { box: Float32Array | undefined; image: ImageSides },
    anchors: Draws,
  ): SampledTargets {
    if (box === undefined) return noTargets(settings.anchorsPerImage);
    const { meta } = this.options.head;
    return sampleTargets(
      { shape, image, box },
      { anchors: meta.anchors, stride: this.model.stride },
      settings,
      anchors,
    );
  }

  /** By a graph that takes any weights: they change with every update. */
  private mapOf(input: TrunkInput): tf.Tensor4D {
    const { model } = this;
    return tf.tidy(() =>
      input.kind === 'map'
        ? model.mapFromPrefix(tf.tensor(input.values, input.shape), this.options.freeze)
        : model.mapFromPrefix(model.prefix(toTensor(input.image), 'none'), 'none'),
    );
  }
}

function sizeOf(input: TrunkInput): [number, number] {
  return input.kind === 'pixels' ? [input.image.height, input.image.width] : input.imageSizePx;
}

function sidesOf(input: TrunkInput): ImageSides {
  const [height, width] = sizeOf(input);
  return { height, width };
}
