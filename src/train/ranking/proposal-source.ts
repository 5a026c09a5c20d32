/**
 * @file Images described by the proposals of the weights as they are, and the loss of the proposals themselves where they learn with
 * the descriptor (Gordo et al. 2016, section 3.3, found that "difficult, unstable"): both from one map of the trunk.
 */
import * as tf from '@tensorflow/tfjs-core';
import { toTensor } from '../../data/images.js';
import { uprightSize } from '../../data/upright-size.js';
import type { ImageSides } from '../../rpn/box-rows.js';
import type { RpnHead } from '../../rpn/head.js';
import { assertProposals } from '../../rpn/proposal-describer.js';
import { type ChosenRegions, ProposalPooling } from '../../rpn/proposal-pooling.js';
import type { Draws } from '../../rpn/sampler.js';
import type { DescriptorInBlocks, ImageInputs, TrunkInput, ViewedImage } from '../image-inputs.js';
import type { ReplaySource } from '../replay.js';
import { rpnConfigSchema } from '../proposals/rpn-config.js';
import { noTargets, type SampledTargets, sampledLoss, sampleTargets } from '../proposals/rpn-step.js';
import type { TrainableModel } from '../trainable-model.js';
import type { Observed, OwnLoss } from './ranking-source.js';
import { boxInView } from './viewed-box.js';

/** The loss of `train rpn` with its defaults. */
const settings = rpnConfigSchema.parse({});

/** What an image's replay pools and learns besides the ranking. */
interface Found {
  regions: Pick<ChosenRegions, 'positions' | 'weights'> | undefined;
  targets: SampledTargets | undefined;
}

export class ProposalSource {
  private readonly pooling: ProposalPooling | undefined;
  /** An image is observed again where memory is short: its anchors stay those of the update. */
  private readonly targets = new WeakMap<ViewedImage, SampledTargets>();
  private readonly originals = new Map<string, ImageSides>();

  constructor(
    private readonly model: TrainableModel,
    private readonly inputs: ImageInputs,
    private readonly options: {
      freeze: string;
      imageSize: number;
      head: RpnHead;
      /** Proposals learn, from anchors drawn from this. */
      anchors: Draws | undefined;
    },
  ) {
    const { regions } = model.meta;
    if (regions === undefined) return;
    assertProposals(model.meta);
    this.pooling = new ProposalPooling(model, options.head, regions);
  }

  async observe(input: TrunkInput, item?: ViewedImage): Promise<Observed> {
    const { model, pooling } = this;
    const { head, anchors } = this.options;
    const box = anchors && item && (await this.boxOf(item));
    let targets: SampledTargets | undefined;
    // All that is read is held until then, so that one run of the engine computes it.
    const held = tf.tidy(() => {
      const map = this.mapOf(input);
      if (anchors !== undefined && item !== undefined) {
        targets = this.targets.get(item) ?? this.draw(map, { box, image: sidesOf(input) }, anchors);
        this.targets.set(item, targets);
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
        const replay = this.replayOf({ regions: undefined, targets });
        return { descriptor: Float32Array.from(output), own, replay, bytes: 0 };
      }
      const map = { values: await held.map.data<'float32'>(), shape: held.map.shape };
      const chosen = pooling.choose(map, output, sidesOf(input));
      const row = pooling.describe(chosen);
      const descriptor = Float32Array.from(await row.data<'float32'>());
      row.dispose();
      const { positions, weights } = chosen;
      const replay = this.replayOf({ regions: { positions, weights }, targets });
      return { descriptor, own, replay, bytes: positions.byteLength + weights.byteLength };
    } finally {
      tf.dispose(Object.values(held));
    }
  }

  private replayOf(found: Found): ReplaySource<TrunkInput> {
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

  private mapOf(input: TrunkInput): tf.Tensor4D {
    const { model } = this;
    return tf.tidy(() =>
      input.kind === 'map'
        ? model.mapFromPrefix(tf.tensor(input.values, input.shape), this.options.freeze)
        : model.featureMap(toTensor(input.image)),
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
