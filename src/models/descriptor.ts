/**
 * @file The descriptor model: pixels -> trunk -> regions (-> FC with bias) -> l2 (-> power law -> l2) -> (shift, FC -> l2) -> sum -> l2. One class from training
 * to export; parts can be run alone, so that trainers can keep the output of frozen stages.
 */
import * as tf from '@tensorflow/tfjs-core';
import { type Compiled, compiled, ownedVariable } from '../backend/index.js';
import { InputError, UsageError } from '../errors.js';
import { mapLength, parametersOf, resolveLayer, smallestSide, type Trunk } from './architecture.js';
import { architectureNamed, trunkFor } from './architectures.js';
import { Backbone } from './backbone.js';
import { checkMeta, type ModelMeta } from './meta.js';
import { listed, problemOf } from './weight-checks.js';
import { l2Normalize, raised } from './normalize.js';
import { gem, mac, regionMaxPool, regionsOf, spoc } from './pooling.js';
import { preprocess } from './preprocess.js';
import { rpnShapes } from './rpn-weights.js';
import { readTensors } from './read-tensors.js';
import type { NamedArrays } from './safetensors.js';
import { kernelName, shiftName, whiten } from './whitening.js';

/** GeM's exponent among the variables. */
export const exponentName = 'pooling/p';

export const projectionKernelName = 'projection/kernel';
export const projectionBiasName = 'projection/bias';

/** Part of a descriptor model that depends on what is before it through `x` alone. */
export interface DescriptorBlock {
  run(x: tf.Tensor): tf.Tensor;
  /** By our names. */
  variables: ReadonlyMap<string, tf.Variable>;
}

let created = 0;

/** A network that makes one unit vector of an image: preprocessing, trunk, pooling, whitening. The caller disposes of it. */
export class DescriptorModel {
  readonly meta: ModelMeta;
  /** Everything that can train, by name: trunk, `pooling/p` (GeM), `whitening/shift` [C], `whitening/kernel` [C, D]. */
  readonly variables: ReadonlyMap<string, tf.Variable>;
  private readonly trunk: Trunk;
  private readonly backbone: Backbone;
  private readonly tail = new Map<string, tf.Variable>();
  /** `prefix` for many images, by the number of stages that it runs. */
  private readonly prefixes = new Map<number, Compiled>();
  /** Weights of the region proposal network, which is not run here but belongs to the model. Empty without one. */
  readonly rpnWeights: NamedArrays = new Map();

  /**
   * A model from its meta and weights (float32, our names), whose arrays it takes over: nobody may change them afterwards.
   * Tensors that are missing, misshapen, unknown or not finite are listed in one `InputError`. GeM's exponent may be absent: it then starts at `meta.pooling.p`.
   */
  static create(meta: ModelMeta, weights: NamedArrays): DescriptorModel {
    const checked = checkMeta(meta, 'model');
    const architecture = architectureNamed(checked.architecture);
    const trunk = trunkFor(checked);
    const complete: NamedArrays = new Map(weights);
    if (checked.pooling.kind === 'gem' && !complete.has(exponentName)) {
      complete.set(exponentName, { shape: [], data: Float32Array.of(checked.pooling.p) });
    }
    checkWeights(expectedShapes(checked, trunk), complete);
    const { normEpsilon = architecture.normEpsilon } = checked;
    return new DescriptorModel(
      { ...checked, cut: resolveLayer(architecture, checked.cut) },
      trunk,
      complete,
      normEpsilon,
    );
  }

  private constructor(meta: ModelMeta, trunk: Trunk, weights: NamedArrays, epsilon: number) {
    this.meta = meta;
    this.trunk = trunk;
    const variablePrefix = `model${created++}`; // tfjs variable names are global
    this.backbone = new Backbone(trunk, weights, { epsilon, variablePrefix });
    for (const name of tailNames(meta)) {
      const { data, shape } = weights.get(name)!;
      this.tail.set(name, ownedVariable(data, shape, `${variablePrefix}/${name}`));
    }
    this.variables = new Map([...this.backbone.variables, ...this.tail]);
    if (meta.rpn === undefined) return;
    for (const name of rpnShapes(meta.rpn, trunk.channels).keys()) this.rpnWeights.set(name, weights.get(name)!);
  }

  /** Length of the descriptor. */
  get dimension(): number {
    return this.meta.whitening?.dimension ?? this.meta.projection?.dimension ?? this.trunk.channels;
  }

  /** Channels of the feature map. */
  get channels(): number {
    return this.trunk.channels;
  }

  /** Pixels of the image per cell of the map. */
  get stride(): number {
    return this.trunk.stride;
  }

  /** Parts of the trunk from the image on, names for `freeze`. Whitening and GeM's exponent belong to none. */
  get stages(): readonly string[] {
    return this.trunk.stages;
  }

  /** Shortest image side that gives a map, px. */
  get smallestSide(): number {
    return smallestSide(this.trunk);
  }

  /** [N, H, W, 3] RGB 0-255 -> [N, D] unit rows. */
  describe(images: tf.Tensor4D): tf.Tensor2D {
    return tf.tidy(() => this.pool(this.featureMap(images), imageSizeOf(images)));
  }

  /** `describe` whose trunk runs beside the caller, where the engine has threads for that: for many images, several at once. */
  describeAsync(images: tf.Tensor4D): Promise<tf.Tensor2D> {
    return this.onFeatureMap(images, (map) => this.pool(map, imageSizeOf(images)));
  }

  /**
   * [N, H, W, 3] RGB 0-255 -> [N, h, w, C]. Throws `InputError` for an image too small for a single cell. Where no gradient is
   * taken the trunk is compiled for the weights as they are (`compiled`); `mapFromPrefix` of `prefix(images, 'none')` is
   * the same by a graph that takes any weights, for few images of each.
   */
  featureMap(images: tf.Tensor4D): tf.Tensor4D {
    return this.prefix(images, 'all');
  }

  /** What `f` makes of the feature map, which is computed beside the caller. */
  async onFeatureMap<T extends tf.Tensor>(images: tf.Tensor4D, f: (map: tf.Tensor4D) => T): Promise<T> {
    this.checkImages(images);
    const [map] = await this.compiledStages(this.frozenStages('all')).runAsync(images);
    try {
      return tf.tidy(() => f(map as tf.Tensor4D));
    } finally {
      map.dispose();
    }
  }

  /** Map -> [N, D] unit rows. `imageSize` [height, width] px is needed when `pooling.plane` is 'image'. */
  pool(map: tf.Tensor4D, imageSize?: [number, number]): tf.Tensor2D {
    return tf.tidy(() => this.aggregate(this.pooledVectors(map, imageSize)));
  }

  /**
   * What is behind pooling: vectors of any regions as `regionMaxPool` gives them, [N, R, C] -> [N, D] unit rows. With
   * `weights` [R] the sum over regions is weighted.
   */
  aggregate(vectors: tf.Tensor3D, weights?: tf.Tensor1D): tf.Tensor2D {
    return tf.tidy(() => {
      const rows = this.regionRows(vectors);
      const weighted = weights === undefined ? rows : rows.mul(weights.expandDims(-1));
      return l2Normalize(weighted.sum<tf.Tensor2D>(1), this.meta.pooling.epsilon);
    });
  }

  /** The unit rows that `aggregate` sums, [N, R, C] -> [N, R, D]. */
  regionRows(vectors: tf.Tensor3D): tf.Tensor3D {
    return tf.tidy(() => {
      const { epsilon } = this.meta.pooling;
      const rows = this.normalizedRegions(vectors); // [N, R, C]
      if (this.meta.whitening === undefined) return rows;
      const shift = this.tail.get(shiftName) as tf.Variable<tf.Rank.R1>;
      const kernel = this.tail.get(kernelName) as tf.Variable<tf.Rank.R2>;
      return l2Normalize(whiten(rows, shift, kernel) as tf.Tensor3D, epsilon); // [N, R, D]
    });
  }

  /** [N, H, W, 3] -> [N, R, C] unit rows before whitening: what whitening is learned on. R = 1 except for R-MAC. */
  regionDescriptors(images: tf.Tensor4D): tf.Tensor3D {
    return tf.tidy(() => this.regionsOf(this.featureMap(images), images));
  }

  /** `regionDescriptors` as `describeAsync`. */
  regionDescriptorsAsync(images: tf.Tensor4D): Promise<tf.Tensor3D> {
    return this.onFeatureMap(images, (map) => this.regionsOf(map, images));
  }

  /** Vectors of any regions [N, R, C] -> unit rows before whitening. */
  normalizedRegions(vectors: tf.Tensor3D): tf.Tensor3D {
    return tf.tidy(() => {
      const { epsilon, power = 1 } = this.meta.pooling;
      const rows = l2Normalize(this.project(vectors), epsilon);
      return power === 1 ? rows : l2Normalize(raised(rows, power), epsilon);
    });
  }

  /**
   * Output of the frozen stages: `freeze` and all before it. 'none' gives the preprocessed image, 'all' the feature map.
   */
  prefix(images: tf.Tensor4D, freeze: string): tf.Tensor4D {
    this.checkImages(images);
    const to = this.frozenStages(freeze);
    if (to === 0) return preprocess(images, this.meta.preprocessing);
    return this.compiledStages(to).run(images)[0] as tf.Tensor4D;
  }

  /** The rest of `describe` on what `prefix` gave. `imageSize` [height, width] px as in `pool`. */
  describeFromPrefix(x: tf.Tensor4D, freeze: string, imageSize?: [number, number]): tf.Tensor2D {
    return tf.tidy(() => this.pool(this.backbone.run(x, { from: this.frozenStages(freeze) }), imageSize));
  }

  /** The rest of `featureMap` on what `prefix` gave. */
  mapFromPrefix(x: tf.Tensor4D, freeze: string): tf.Tensor4D {
    return tf.tidy(() => this.backbone.run(x, { from: this.frozenStages(freeze) }));
  }

  /**
   * `describeFromPrefix` as functions to be applied one after the other, each with its variables: blocks of the trunk that take little
   * memory to backpropagate one at a time, then pooling and whitening.
   */
  blocksFromPrefix(freeze: string, imageSize?: [number, number]): DescriptorBlock[] {
    const { backbone } = this;
    const trunk = backbone.blocksFrom(this.frozenStages(freeze)).map((block) => ({
      run: (x: tf.Tensor) => backbone.runBlock(x as tf.Tensor4D, block),
      variables: backbone.variablesOf(block),
    }));
    return [...trunk, { run: (map) => this.pool(map as tf.Tensor4D, imageSize), variables: this.tail }];
  }

  /** Variables that train when `freeze` is frozen: those of the later stages and of the tail. */
  trainable(freeze: string): Map<string, tf.Variable> {
    return new Map([...this.backbone.variablesFrom(this.frozenStages(freeze)), ...this.tail]);
  }

  /** Of these, those of the trunk. */
  trainableTrunk(freeze: string): Map<string, tf.Variable> {
    return this.backbone.variablesFrom(this.frozenStages(freeze));
  }

  /** All weights by name, read from the device. Trained values as they are now. */
  async toArrays(): Promise<NamedArrays> {
    return new Map([...this.backbone.statistics(), ...(await readTensors(this.variables)), ...this.rpnWeights]);
  }

  /** Frees the weights. The model is not used afterwards. */
  dispose(): void {
    for (const prefix of this.prefixes.values()) prefix.dispose();
    this.backbone.dispose();
    tf.dispose([...this.tail.values()]);
    this.tail.clear();
  }

  /** Preprocessing and the first `to` stages. */
  private compiledStages(to: number): Compiled {
    let stages = this.prefixes.get(to);
    if (stages === undefined) {
      stages = compiled((x) => [this.backbone.run(preprocess(x, this.meta.preprocessing), { to })], {
        weights: () => this.backbone.variables.values(),
      });
      this.prefixes.set(to, stages);
    }
    return stages;
  }

  private regionsOf(map: tf.Tensor4D, images: tf.Tensor4D): tf.Tensor3D {
    return this.normalizedRegions(this.pooledVectors(map, imageSizeOf(images)));
  }

  private checkImages(images: tf.Tensor4D): void {
    const [height, width] = imageSizeOf(images);
    if (images.rank !== 4 || images.shape[3] !== 3) {
      throw new Error(`describe: images of shape [N, H, W, 3] expected, got [${images.shape.join(', ')}]`);
    }
    if (mapLength(this.trunk, Math.min(height, width)) < 1) {
      throw new InputError(
        `An image of ${width}x${height} px is too small for ${this.meta.architecture}: the shorter side must have at least ${this.smallestSide} px.`,
      );
    }
  }

  /** [N, R, C] through the projection, where there is one; not normalised. */
  private project(vectors: tf.Tensor3D): tf.Tensor3D {
    if (this.meta.projection === undefined) return vectors;
    const kernel = this.tail.get(projectionKernelName) as tf.Variable<tf.Rank.R2>;
    const bias = this.tail.get(projectionBiasName) as tf.Variable<tf.Rank.R1>;
    const [n, regions, channels] = vectors.shape;
    const rows = tf.matMul(vectors.reshape([n * regions, channels]), kernel).add(bias);
    return rows.reshape([n, regions, bias.shape[0]]);
  }

  /** [N, h, w, C] -> [N, R, C]. */
  private pooledVectors(map: tf.Tensor4D, imageSize: [number, number] | undefined): tf.Tensor3D {
    const { pooling } = this.meta;
    switch (pooling.kind) {
      case 'mac':
        return mac(map).expandDims(1);
      case 'spoc':
      case 'cls': // of a single cell
        return spoc(map).expandDims(1);
      case 'gem':
        return gem(map, this.tail.get(exponentName) as tf.Variable<tf.Rank.R0>).expandDims(1);
      default: {
        const [, height, width] = map.shape;
        const image = imageSize && { height: imageSize[0], width: imageSize[1] };
        return regionMaxPool(map, regionsOf({ height, width }, pooling, { image, stride: this.stride }));
      }
    }
  }

  /** Number of leading stages that `freeze` freezes. */
  private frozenStages(freeze: string): number {
    if (freeze === 'none') return 0;
    if (freeze === 'all') return this.stages.length;
    const index = this.stages.indexOf(freeze);
    if (index < 0) {
      throw new UsageError(`Unknown stage "${freeze}" to freeze. Known: none, ${this.stages.join(', ')}, all.`);
    }
    return index + 1;
  }
}

function imageSizeOf(images: tf.Tensor4D): [number, number] {
  return [images.shape[1], images.shape[2]];
}

function tailNames({ pooling, projection, whitening }: ModelMeta): string[] {
  return [
    ...(pooling.kind === 'gem' ? [exponentName] : []),
    ...(projection ? [projectionKernelName, projectionBiasName] : []),
    ...(whitening ? [shiftName, kernelName] : []),
  ];
}

/** Every tensor a model of this meta holds, with its shape. */
function expectedShapes(meta: ModelMeta, trunk: Trunk): Map<string, number[]> {
  const shapes = new Map(parametersOf(trunk.layers).map(({ name, shape }) => [name, shape]));
  if (meta.pooling.kind === 'gem') shapes.set(exponentName, []);
  const { projection, whitening } = meta;
  if (projection !== undefined) {
    shapes.set(projectionKernelName, [trunk.channels, projection.dimension]);
    shapes.set(projectionBiasName, [projection.dimension]);
  }
  if (whitening !== undefined) {
    const channels = projection?.dimension ?? trunk.channels;
    shapes.set(shiftName, [channels]).set(kernelName, [channels, whitening.dimension]);
  }
  if (meta.rpn !== undefined) {
    for (const [name, shape] of rpnShapes(meta.rpn, trunk.channels)) shapes.set(name, shape);
  }
  return shapes;
}

function checkWeights(expected: ReadonlyMap<string, number[]>, weights: NamedArrays): void {
  const missing = [...expected.keys()].filter((name) => !weights.has(name));
  const extra = [...weights.keys()].filter((name) => !expected.has(name));
  const broken: string[] = [];
  for (const [name, shape] of expected) {
    const array = weights.get(name);
    if (array === undefined) continue;
    const problem = problemOf(array, shape, name.split('/').at(-1)!);
    if (problem !== undefined) broken.push(`${name} ${problem}`);
  }
  const problems = [
    ...(missing.length > 0 ? [`missing: ${listed(missing)}`] : []),
    ...(extra.length > 0 ? [`unknown: ${listed(extra)}`] : []),
    ...(broken.length > 0 ? [listed(broken)] : []),
  ];
  if (problems.length > 0) throw new InputError(`The weights do not fit the model: ${problems.join('; ')}.`);
}
