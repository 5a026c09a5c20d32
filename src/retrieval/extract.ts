/** @file Extraction of a list of images into a descriptor folder: resumable, a bad image is counted and left out. */
import { createHash, type Hash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { rm, stat } from 'node:fs/promises';
import { assertWritable, FileSet } from '../data/files.js';
import { withFolderLock } from '../data/folder-lock.js';
import type { ImageSizing } from '../data/images.js';
import { sha256Of } from '../data/sha256.js';
import { InputError } from '../errors.js';
import { type Described, describeImages, type Describer, type ImagePart } from './describe.js';
import { type DescribeFailure, descriptorFiles, type Shard } from './descriptor-folder.js';
import { npyHeader } from '../data/npy.js';
import { type ExtractionSettings, PartialDescriptors } from './partial-descriptors.js';

export interface ExtractItem extends ImagePart {
  id: string;
}

export interface ExtractionOptions {
  /** The folder to write; created. */
  folder: string;
  /** What images are resized to for a model; who describes files resizes them itself. */
  sizing?: ImageSizing;
  /** What decides the descriptors' values besides the images; an unfinished run continues only under equal settings. */
  settings: ExtractionSettings;
  /** Anything to store in meta.json about the model. */
  meta?: Readonly<Record<string, unknown>>;
  /** Names the files; `items` are the shard's own. */
  shard?: Shard;
  overwrite?: boolean;
  signal?: AbortSignal;
  /** Called once, before the first image: rows taken over from an earlier run, and images still to describe. */
  onStart?: (resumed: number, waiting: number) => void;
  /** Called with the number of images that this run has done. */
  onProgress?: (done: number) => void;
  onFailure?: (failure: DescribeFailure) => void;
}

export interface Extraction {
  /** Rows written. */
  images: number;
  dimension: number;
  /** Rows taken over from an earlier run that had not ended. */
  resumed: number;
  failures: DescribeFailure[];
}

/** Rows of the work done so far are safe on disk when this is thrown; the same call continues. */
export class ExtractionInterrupted extends InputError {
  override name = 'ExtractionInterrupted';
}

/** What describes files by itself, several sizes of each, say. */
export interface FileDescriber {
  describeFiles(
    items: readonly ExtractItem[],
    options: { signal?: AbortSignal | undefined; onProgress?: ((done: number) => void) | undefined },
  ): AsyncGenerator<Described<ExtractItem>>;
}

/** Describes one image at a time or files by itself; D is `dimension`. */
export type ImageDescriber = (Describer | FileDescriber) & { readonly dimension: number };

/**
 * Describes `items` and writes the folder of descriptor-folder.ts. Finished rows go to a partial file first; after a
 * kill the same call takes them over, except those of images that changed. Fails if no image at all could be described.
 */
export async function extractDescriptors(
  model: ImageDescriber,
  items: readonly ExtractItem[],
  options: ExtractionOptions,
): Promise<Extraction> {
  const { folder, shard } = options;
  return withFolderLock(folder, () => extractLocked(model, items, options), { shard });
}

async function extractLocked(
  model: ImageDescriber,
  items: readonly ExtractItem[],
  options: ExtractionOptions,
): Promise<Extraction> {
  const { folder, settings, shard, overwrite = false, signal, onStart, onProgress, onFailure } = options;
  const { dimension } = model;
  const files = descriptorFiles(folder, shard);
  if (!existsSync(files.partial)) {
    // With a partial file the run was allowed to write here when it began.
    assertWritable(files.descriptors, { overwrite });
    await rm(files.partialRows, { force: true });
  }
  const partial = await PartialDescriptors.open(files, settings, dimension, { overwrite });
  const failures: DescribeFailure[] = [];
  const sources = new Map<string, string>();
  let resumed = 0;
  try {
    const waiting: ExtractItem[] = [];
    for (const item of items) {
      const source = await sourceState(item);
      sources.set(item.id, source);
      if (partial.sourceOf(item.id) === source) resumed++;
      else waiting.push(item);
    }
    onStart?.(resumed, waiting.length);
    const { sizing = { longest: 'none' } } = options;
    const results =
      'describeFiles' in model
        ? model.describeFiles(waiting, { signal, onProgress })
        : describeImages(model, waiting, (item) => item, { sizing, signal, onProgress });
    for await (const result of results) {
      const { id } = result.item;
      if ('error' in result) {
        const failure = { id, error: result.error.message };
        failures.push(failure);
        onFailure?.(failure);
      } else {
        await partial.append(id, sources.get(id) ?? '', result.descriptor);
      }
    }
  } finally {
    await partial.close();
  }
  if (signal?.aborted) {
    throw new ExtractionInterrupted(
      `Interrupted with ${partial.size} of ${items.length} images done; run the same command again to continue.`,
    );
  }
  const failed = new Set(failures.map(({ id }) => id));
  const ids = items.flatMap(({ id }) => (failed.has(id) ? [] : [id]));
  if (ids.length === 0 && items.length > 0) {
    throw new InputError(`None of the ${items.length} images could be described; the first: ${failures[0].error}`);
  }

  const idLines = ids.map((id) => `${id}\n`).join('');
  const set = new FileSet({ overwrite: true });
  try {
    const hash = createHash('sha256');
    await set.add(files.descriptors, hashed(hash, npyHeader([ids.length, dimension]), partial.readRows(ids)));
    const meta = {
      images: ids.length,
      dimension,
      settings,
      fingerprint: fingerprint(settings),
      shard,
      sha256: { descriptors: hash.digest('hex'), ids: sha256Of([Buffer.from(idLines)]) },
      ...options.meta,
      failures,
    };
    await set.add(files.meta, `${JSON.stringify(meta, null, 2)}\n`);
    await set.add(files.ids, idLines);
    await set.commit();
  } finally {
    await set.discard();
  }
  await rm(files.partial);
  await rm(files.partialRows);
  return { images: ids.length, dimension, resumed, failures };
}

/** What a file is written from: its head, then the blocks, all of which `hash` takes in. */
export async function* hashed(
  hash: Hash,
  head: Uint8Array,
  blocks: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  hash.update(head);
  yield head;
  for await (const block of blocks) {
    hash.update(block);
    yield block;
  }
}

/** Equal for equal settings, whatever the order of their names. */
function fingerprint(settings: ExtractionSettings): string {
  const entries = Object.entries(settings).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return createHash('sha256').update(JSON.stringify(entries)).digest('hex');
}

/** Path, size, time and crop: a row of an unfinished run is reused only while they are the same. */
async function sourceState({ path, crop }: ExtractItem): Promise<string> {
  const box = crop === undefined ? '' : `${crop.x},${crop.y},${crop.width},${crop.height}`;
  try {
    const { size, mtimeMs } = await stat(path);
    return `${path}|${size}|${mtimeMs}|${box}`;
  } catch {
    return `${path}|missing|${box}`; // decoding it will say what is wrong
  }
}
