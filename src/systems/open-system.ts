/** @file A preset put on a network's weights: images in, vectors out. */
import { InputError, UsageError } from '../errors.js';
import { architectureNamed } from '../models/architectures.js';
import type { DescribeFailure } from '../retrieval/descriptor-folder.js';
import type { GroundTruth } from '../retrieval/ground-truth.js';
import type { DescriptorTable } from '../retrieval/ranking.js';
import type { Similarity } from '../linear/rows.js';
import type { Classifier } from './class-activation.js';
import { expandSystemQueries } from './expand-queries.js';
import { finishVectors } from './finish-vectors.js';
import { FitRows, type SystemFit } from './fit-system.js';
import { familyOf, networkLayers } from './network-layers.js';
import { type NetworkMaps, openNetworkMaps } from './network-maps.js';
import { openClassifier } from './open-classifier.js';
import { type PooledVectors, poolViews } from './pool-views.js';
import { readViews } from './read-views.js';
import type { SystemSettings } from './settings.js';
import type { FitReport, Preset, Role, System, SystemImage, SystemNetwork, WorkOptions } from './system.js';
import { parseSystemName } from './system-name.js';
import { systemSimilarity, type VectorLayout } from './system-similarity.js';

export interface OpenSystemOptions {
  /** Model file (`rmac weights import`); its trunk is used, its architecture wins over the name's. */
  weights: string;
  /** Main longest side, px; other sides keep their ratio to it. Default: the preset's. */
  size?: number;
  /** Round sides to multiples of this, px: fewer shapes for the engine to compile. Default 1. */
  snap?: number;
  /** For presets with a class activation mask: a weight file with the network's fully connected layer. */
  classifier?: string;
}

/** Opens `<preset>[@<network>]`. The engine must run; the caller disposes of the system. */
export async function openSystem(name: string, options: OpenSystemOptions): Promise<System> {
  const { preset, network } = parseSystemName(name);
  if (preset.settings.mask !== undefined && options.classifier === undefined) {
    throw new UsageError(
      `${preset.name} masks by class activation and needs the network's classifier: --classifier FILE.`,
    );
  }
  const maps = await openNetworkMaps(options.weights, (meta) => networkLayers(preset, meta, network));
  try {
    const classifier =
      preset.settings.mask === undefined ? undefined : await openClassifier(options.classifier!, maps.channels[0]);
    return new OpenedSystem(preset, maps, { ...options, classifier });
  } catch (error) {
    maps.dispose();
    throw error;
  }
}

/** The preset's settings with the main side at `size`. */
export function settingsAt(settings: SystemSettings, size: number | undefined): SystemSettings {
  if (size === undefined) return settings;
  const sides = settings.sides.map((side) => Math.max(1, Math.round((side * size) / settings.sides[0])));
  return { ...settings, sides };
}

class OpenedSystem implements System {
  readonly name: string;
  readonly settings: SystemSettings;
  private readonly classifier: Classifier | undefined;
  private readonly snap: number;
  private fitted: SystemFit | undefined;

  constructor(
    readonly preset: Preset,
    private readonly maps: NetworkMaps,
    { size, snap = 1, classifier }: { size?: number; snap?: number; classifier?: Classifier | undefined },
  ) {
    this.name = `${preset.name}@${networkName(preset, maps.network)}`;
    this.settings = settingsAt(preset.settings, size);
    this.classifier = classifier;
    this.snap = snap;
  }

  get network(): SystemNetwork {
    return this.maps.network;
  }

  get needsFit(): boolean {
    return this.settings.fit !== undefined && this.fitted === undefined;
  }

  get dimension(): number {
    if (this.fitted?.kind === 'selection') return this.fitted.features.length;
    return this.fitted?.dimension ?? this.pooledDimension;
  }

  get bytesPerImage(): number {
    return this.vectors('database') * this.dimension * Float32Array.BYTES_PER_ELEMENT;
  }

  vectors(role: Role): number {
    return vectorsOf(this.settings, role);
  }

  async fit(images: readonly { id: string; path: string }[], options: WorkOptions = {}): Promise<FitReport> {
    const { signal, onProgress } = options;
    const failures: DescribeFailure[] = [];
    if (this.settings.fit === undefined) return { images: 0, rows: 0, failures, warnings: [] };
    const rows = new FitRows(this.settings.fit, this.pooledDimension);
    let done = 0;
    for (const { id, path } of images) {
      if (signal?.aborted) throw new InputError('Interrupted while fitting.');
      try {
        rows.add((await this.pool({ path }))[0]);
      } catch (error) {
        if (!(error instanceof InputError)) throw error;
        failures.push({ id, error: error.message });
      }
      onProgress?.(++done);
    }
    if (failures.length === images.length && images.length > 0) {
      throw new InputError(
        `None of the ${images.length} images to fit on could be used; the first: ${failures[0].error}`,
      );
    }
    this.fitted = rows.learn();
    const warnings = this.fitted.kind === 'whitening' ? this.fitted.warnings : [];
    return { images: images.length - failures.length, rows: rows.count, failures, warnings };
  }

  async describe(image: SystemImage, role: Role): Promise<Float32Array> {
    this.checkFit();
    return finishVectors(await this.pool(image), this.settings, this.fitted, role);
  }

  async describeBoth(image: SystemImage): Promise<Record<Role, Float32Array>> {
    this.checkFit();
    const pooled = await this.pool(image);
    const database = finishVectors(pooled, this.settings, this.fitted, 'database');
    const same = this.settings.database === 'vector';
    return { database, query: same ? database : finishVectors(pooled, this.settings, this.fitted, 'query') };
  }

  expand(
    groundTruth: GroundTruth,
    described: { database: DescriptorTable; queries: DescriptorTable },
  ): DescriptorTable {
    return expandSystemQueries(this.settings, this.layout, groundTruth, described);
  }

  similarity(database: DescriptorTable): Similarity {
    return systemSimilarity(this.settings, this.layout, database);
  }

  dispose(): void {
    this.maps.dispose();
  }

  private get layout(): VectorLayout {
    const { dimension, settings } = this;
    const vectors = { query: this.vectors('query'), database: this.vectors('database') };
    return { dimension, vectors, parts: settings.maps.map((layer) => this.maps.channels[layer]) };
  }

  private get pooledDimension(): number {
    return this.settings.maps.reduce((sum, layer) => sum + this.maps.channels[layer], 0);
  }

  private checkFit(): void {
    if (this.needsFit) throw new UsageError(`${this.name} is learned from training images first: --fit MANIFEST.`);
  }

  private async pool(image: SystemImage): Promise<readonly PooledVectors[]> {
    const views = await readViews(this.maps, image, this.settings, this.snap);
    return poolViews(views, this.settings, this.classifier);
  }
}

/** Vectors of an image in a role: R-MAC+ has 15 regions per side. */
function vectorsOf({ database, sides, mask }: SystemSettings, role: Role): number {
  if (role === 'database' && database === 'regions') return 15 * sides.length;
  return mask === undefined ? 1 : 2;
}

/** The architecture, with the layer of the last map where that is neither its own last nor the paper's. */
function networkName(preset: Preset, { architecture, layers }: SystemNetwork): string {
  const usual = [architectureNamed(architecture).defaultCut, preset.networks[familyOf(architecture)]?.[0]];
  return usual.includes(layers[0]) ? architecture : `${architecture}-${layers[0]}`;
}
