/** @file A network that gives the maps of several of its layers, on the running engine. */
import * as tf from '@tensorflow/tfjs-core';
import { type Compiled, compiled } from '../backend/index.js';
import { readModelFile } from '../data/model-file.js';
import { toTensor } from '../data/images.js';
import type { RgbImage } from '../data/rgb-image.js';
import { InputError, messageOf } from '../errors.js';
import { cutTrunk, mapLength, parametersOf, smallestSide, type Trunk } from '../models/architecture.js';
import { architectureNamed } from '../models/architectures.js';
import { Backbone } from '../models/backbone.js';
import type { ModelMeta } from '../models/meta.js';
import { preprocess } from '../models/preprocess.js';
import type { NamedArrays } from '../models/safetensors.js';
import { listed, problemOf } from '../models/weight-checks.js';
import type { ImageMaps } from './pool-views.js';
import type { SystemNetwork } from './system.js';

let opened = 0;

export class NetworkMaps {
  private readonly trunk: Trunk;
  private readonly backbone: Backbone;
  private readonly maps: Compiled;
  private readonly strides: readonly number[];
  /** Channels of each map. */
  readonly channels: readonly number[];

  /** `network.layers[0]` must need the others. Throws `InputError` naming tensors that are missing or broken; further ones are left alone. */
  constructor(
    readonly network: SystemNetwork,
    meta: Pick<ModelMeta, 'preprocessing' | 'normEpsilon'>,
    weights: NamedArrays,
  ) {
    const architecture = architectureNamed(network.architecture);
    this.trunk = cutTrunk(architecture, network.layers[0]);
    checkWeights(this.trunk, weights);
    const cuts = network.layers.map((layer) => cutTrunk(architecture, layer));
    this.strides = cuts.map(({ stride }) => stride);
    this.channels = cuts.map(({ channels }) => channels);
    const epsilon = meta.normEpsilon ?? architecture.normEpsilon;
    this.backbone = new Backbone(this.trunk, weights, { epsilon, variablePrefix: `maps${opened++}` });
    this.maps = compiled((images) => this.backbone.maps(preprocess(images, meta.preprocessing), network.layers), {
      weights: () => this.backbone.variables.values(),
    });
  }

  /** One decoded image -> its maps. Throws `InputError` where it is too small for a single cell. */
  async view(image: RgbImage): Promise<ImageMaps> {
    const { height, width } = image;
    if (mapLength(this.trunk, Math.min(height, width)) < 1) {
      throw new InputError(
        `An image of ${width}x${height} px is too small for ${this.network.architecture}: the shorter side must have at least ${smallestSide(this.trunk)} px.`,
      );
    }
    const maps = tf.tidy(() => this.maps.run(toTensor(image)) as tf.Tensor4D[]);
    try {
      const data = await Promise.all(
        // the backend may own or reuse the memory it returns
        maps.map(async (map) => Float32Array.from(await map.data<'float32'>())),
      );
      if (!data.every((values) => values.every(Number.isFinite))) {
        throw new InputError('its feature map has NaN or infinite values; check the weights.');
      }
      return {
        image: { height, width },
        maps: maps.map(({ shape }, i) => ({ height: shape[1], width: shape[2], channels: shape[3], data: data[i] })),
        strides: this.strides,
      };
    } finally {
      tf.dispose(maps);
    }
  }

  dispose(): void {
    this.maps.dispose();
    this.backbone.dispose();
  }
}

/** Opens weights as `choose` says from their architecture and cut. */
export async function openNetworkMaps(file: string, choose: (meta: ModelMeta) => SystemNetwork): Promise<NetworkMaps> {
  const { meta, weights } = await readModelFile(file);
  const network = choose(meta);
  try {
    return new NetworkMaps(network, meta, weights);
  } catch (error) {
    throw error instanceof InputError ? new InputError(`${file}: ${messageOf(error)}`) : error;
  }
}

function checkWeights({ layers }: Trunk, weights: NamedArrays): void {
  const problems = parametersOf(layers).flatMap(({ name, shape, kind }) => {
    const array = weights.get(name);
    const problem = array === undefined ? 'is missing' : problemOf(array, shape, kind);
    return problem === undefined ? [] : [`${name} ${problem}`];
  });
  if (problems.length > 0) throw new InputError(`the weights do not fit the network: ${listed(problems)}.`);
}
