/** @file Descriptors of a folder, a manifest or a list of images, by a model or a published system. */
import { listImages } from '../data/image-list.js';
import type { ImageSizing } from '../data/images.js';
import { sha256OfFile } from '../data/sha256.js';
import { UsageError } from '../errors.js';
import { type RegionSource, regionsText } from '../models/region-source.js';
import { sizingFor } from '../retrieval/describe.js';
import { type DescribeFailure, type Shard, shardOf } from '../retrieval/descriptor-folder.js';
import { extractDescriptors, type ImageDescriber } from '../retrieval/extract.js';
import { describeFilesBySystem } from '../systems/describe-for-system.js';
import { type StageContext, type StageProgress, silentView } from './context.js';
import { reportingShard } from './shard-status.js';
import { type EngineChoice, type ModelChoice, openDescriber, openEngine } from './open-model.js';
import { checkPreset, openPreset, type PresetChoice, presetSummary } from './open-preset.js';

export interface ExtractStageOptions extends EngineChoice, ModelChoice, PresetChoice {
  /** Folder, .jsonl manifest, .csv table, or text file with one path per line. */
  images: string;
  /** Folder for descriptors.npy, ids.txt and meta.json. */
  out: string;
  /** Model file; this or `preset`. */
  model?: string;
  /** What R-MAC pools. Default: the model's own. */
  regions?: RegionSource;
  /** Only a part of the images, for several machines. */
  shard?: Shard;
  /** Describe each record's box instead of its whole image. */
  crop?: boolean;
  /** Replace existing results. */
  overwrite?: boolean;
}

/** What was described, and the folder it is in. */
export interface ExtractStageResult {
  out: string;
  /** Rows written. */
  images: number;
  dimension: number;
  /** Rows taken over from an earlier run that had not ended. */
  resumed: number;
  failures: DescribeFailure[];
  seconds: number;
}

/** Images that could not be described that are told one by one. */
const toldFailures = 10;

/** An interrupted extraction goes on when it is called again with the same options. */
export function extract(options: ExtractStageOptions, context: StageContext = {}): Promise<ExtractStageResult> {
  return reportingShard(options.out, options.shard, context, (reporting) => extractPart(options, reporting));
}

async function extractPart(options: ExtractStageOptions, context: StageContext): Promise<ExtractStageResult> {
  const { out, shard, crop = false, overwrite } = options;
  const { view = silentView } = context;
  checkExtraction(options);
  const listed = await listImages(options.images);
  const items = (shard === undefined ? listed : shardOf(listed, shard)).map(({ id, path, box }) => ({
    id,
    path,
    crop: crop ? box : undefined,
  }));
  const source =
    options.preset === undefined ? await modelSource(options, context) : await presetSource(options, items, context);
  let progress: StageProgress | undefined;
  const startedAt = performance.now();
  let failed = 0;
  try {
    const extraction = await extractDescriptors(source.describer, items, {
      folder: out,
      sizing: source.sizing,
      settings: { ...source.settings, snap: `${options.snap ?? 1}`, crop: crop ? 'box' : 'none' },
      shard,
      meta: source.meta,
      overwrite,
      signal: context.signal,
      onStart: (resumed, waiting) => {
        progress = view.progress(resumed === 0 ? 'extract' : `extract (${resumed} kept)`, waiting);
      },
      onProgress: (done) => progress?.update(done),
      onFailure: ({ id, error }) => {
        if (++failed <= toldFailures) view.note(`skipped ${id}: ${error}`);
        if (failed === toldFailures + 1) view.note('skipped more images; all are listed in meta.json.');
      },
    });
    const { images, dimension, resumed, failures } = extraction;
    return { out, images, dimension, resumed, failures, seconds: (performance.now() - startedAt) / 1000 };
  } finally {
    progress?.stop();
    source.dispose();
  }
}

/** What describes the images, and what its descriptors depend on. */
interface DescriptorSource {
  describer: ImageDescriber;
  sizing?: ImageSizing;
  settings: Record<string, string>;
  /** For meta.json. */
  meta: Record<string, unknown>;
  dispose: () => void;
}

async function modelSource(
  options: ExtractStageOptions,
  { view }: Pick<StageContext, 'view'>,
): Promise<DescriptorSource> {
  const { model: file = '' } = options;
  const checksum = await sha256OfFile(file);
  await openEngine(options);
  const { model, describer, regions, dispose } = await openDescriber(file, options, view);
  const { meta } = model;
  const sizing = sizingFor(meta, options);
  return {
    describer,
    sizing,
    settings: {
      model: checksum,
      pooling: JSON.stringify(meta.pooling),
      size: `${sizing.upscale === false ? 'at most ' : ''}${sizing.longest}`,
      regions: regionsText(regions),
    },
    meta: { model: meta },
    dispose,
  };
}

async function presetSource(
  options: ExtractStageOptions,
  items: readonly { path: string }[],
  context: StageContext,
): Promise<DescriptorSource> {
  const { weights = '', fit, fitImages, fitSeed = 0, classifier } = options;
  const searched = items.map(({ path }) => path);
  const ready = await openPreset(options, searched, context);
  const { system } = ready;
  const count = system.vectors('database');
  if (count !== 1) {
    system.dispose();
    throw new UsageError(
      `${system.name} keeps ${count} vectors per image; extract writes one. Use rmac evaluate --preset.`,
    );
  }
  const { distance } = system.settings;
  if (distance === 'manhattan' || distance === 'layers') {
    context.view?.note(
      `${system.name} is searched by another distance (${distance}) than the dot product of rmac evaluate --descriptors.`,
    );
  }
  const sum = async (file: string | undefined) => (file === undefined ? 'none' : sha256OfFile(file));
  return {
    describer: {
      dimension: system.dimension,
      describeFiles: (waiting, work) => describeFilesBySystem(system, waiting, work),
    },
    settings: {
      system: system.name,
      systemSettings: JSON.stringify(system.settings),
      weights: await sha256OfFile(weights),
      fit: `${await sum(fit)} ${fitImages ?? 'all'} ${fitSeed}`,
      classifier: await sum(classifier),
    },
    meta: { system: presetSummary(ready) },
    dispose: () => system.dispose(),
  };
}

function checkExtraction(options: ExtractStageOptions): void {
  const { model, preset, pooling, regions } = options;
  if ((model === undefined) === (preset === undefined)) {
    throw new UsageError('Give either --model FILE or --preset NAME with --weights FILE.');
  }
  checkPreset(options);
  if (preset !== undefined && (pooling !== undefined || regions !== undefined)) {
    throw new UsageError('--pooling and --regions do not go with --preset, which sets them.');
  }
}
