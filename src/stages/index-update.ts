/** @file Photographs into the index of a collection: what is new or has changed is described, once, and survives an interruption. */
import { rm } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { collectPhotographs, type ColumnNames } from '../collection/collect-photographs.js';
import type { CollectionRecord } from '../collection/collection-record.js';
import { hasIndex, type IndexHead, photographPath, readHead, removeUnnamed } from '../collection/index-folder.js';
import { beginStore, openStore, storedAddress } from '../collection/open-store.js';
import { planUpdate, type UpdatePlan } from '../collection/plan-update.js';
import type { CollectionStore } from '../collection/vector-store.js';
import { withFolderLock } from '../data/folder-lock.js';
import { writeFileAtomic } from '../data/files.js';
import { readBytes, readModelFile } from '../data/model-file.js';
import { sha256Of, sha256OfFile } from '../data/sha256.js';
import { InputError } from '../errors.js';
import type { DescriptorRows } from '../linear/rows.js';
import { describeImages, sizingFor } from '../retrieval/describe.js';
import type { DescribeFailure } from '../retrieval/descriptor-folder.js';
import { type ExtractionSettings, PartialDescriptors } from '../retrieval/partial-descriptors.js';
import { type StageContext, silentView } from './context.js';
import { updateThreshold } from './index-threshold.js';
import { type EngineChoice, type ModelChoice, openDescriber, openEngine } from './open-model.js';

/** A new collection, or one that becomes what its source is now. */
export interface IndexBuildOptions extends EngineChoice, ModelChoice {
  /** Folder, .jsonl manifest, .csv table, or text file with one path per line. */
  source: string;
  /** Model file; a copy of it is kept in the index. */
  model: string;
  /** Folder of the index. */
  out: string;
  /** Columns of the source that have a meaning. */
  columns?: ColumnNames;
  /** Default: the name of the folder. */
  name?: string;
  /** Photographs of other things, as `source`, to learn from when a query is not in the collection. Default: its labels. */
  distractors?: string;
  /** Address of a database for vectors and records (docs/collection.md). Default: that of the index, the folder itself where it is new. */
  store?: string;
  /** Replace an index of another model or of other settings, and what a database has in the table of the index. */
  overwrite?: boolean;
}

/** Photographs to add to a collection. */
export interface IndexAddOptions extends EngineChoice {
  source: string;
  index: string;
  columns?: ColumnNames;
  /** Refused where it is not the model of the index. Default: the copy that the index has. */
  model?: string;
}

/** Photographs to take out of a collection. */
export interface IndexRemoveOptions {
  ids: readonly string[];
  index: string;
}

/** What has become of a collection. */
export interface IndexUpdateResult {
  index: string;
  /** In the collection now. */
  photographs: number;
  /** That were not there. */
  added: number;
  /** Whose file or columns are others. */
  changed: number;
  unchanged: number;
  removed: number;
  /** Photographs that were described in this run, and in one before that had not ended. */
  described: number;
  resumed: number;
  /** Photographs that could not be described; what the collection had of them stays. */
  failures: DescribeFailure[];
  seconds: number;
}

/**
 * Makes the collection what `source` is: photographs that are new or have changed are described, those that are no longer listed leave.
 * After an interruption the same call goes on with what was described.
 * @throws InputError for an index of another model or other settings without `overwrite`, and where no photograph can be described.
 */
export async function buildIndex(options: IndexBuildOptions, context: StageContext = {}): Promise<IndexUpdateResult> {
  const { source, model, out, columns, pooling, size, snap, overwrite = false } = options;
  const photographs = await collectPhotographs(source, columns);
  const bytes = await readBytes(model);
  await readModelFile(model);
  const sha256 = sha256Of([bytes]);
  const describing = { ...(pooling && { pooling }), ...(size && { size }), ...(snap && { snap }) };
  return withFolderLock(out, async () => {
    const { earlier, ...known } = hasIndex(out) ? await openOrReplace(out, overwrite) : {};
    let store = earlier;
    try {
      const address = options.store === undefined ? known.address : storedAddress(out, options.store);
      const differs = earlier && differenceOf(earlier.head, { sha256, describing, address });
      if (differs !== undefined && !overwrite) {
        throw new InputError(
          `${out} is an index of ${differs}; name its own, choose another folder, or pass --overwrite.`,
        );
      }
      const file = `model-${sha256.slice(0, 16)}.safetensors`;
      const name = options.name ?? earlier?.head.name ?? basename(resolve(out));
      if (store === undefined || differs !== undefined) {
        const head = { name, model: { file, sha256, dimension: 0 }, describing, next: earlier?.head.next ?? 1 };
        const database = address === undefined ? {} : { store: { address } };
        const replace = overwrite || (known.begun === true && known.address === address);
        store = await beginStore(out, { ...head, ...database }, { replace });
      }
      await writeFileAtomic(join(out, file), bytes, { overwrite: true });
      return await update(out, store, photographs, { sync: true, ...options }, context);
    } finally {
      await store?.close();
      await earlier?.close();
    }
  });
}

/** Adds photographs, or describes again those of them that have changed. @throws InputError for another model than the index's. */
export async function addToIndex(options: IndexAddOptions, context: StageContext = {}): Promise<IndexUpdateResult> {
  const { source, index, columns } = options;
  const photographs = await collectPhotographs(source, columns);
  return withIndex(index, async (store) => {
    await assertModel(index, store.head, options.model);
    return update(index, store, photographs, options, context);
  });
}

/** Takes photographs out. @throws InputError naming the first id that is not there; nothing is removed then. */
export async function removeFromIndex({ ids, index }: IndexRemoveOptions): Promise<IndexUpdateResult> {
  return withIndex(index, async (store) => {
    const missing = ids.find((id) => store.record(id) === undefined);
    if (missing !== undefined) throw new InputError(`${index} has no photograph "${missing}"; nothing was removed.`);
    const before = store.size;
    await store.change({ remove: ids });
    await updateThreshold(index, store, {});
    return { ...nothing(index, store), removed: before - store.size };
  });
}

/** @throws InputError where `file` is not the model of the index. */
export async function assertModel(index: string, { model }: Pick<IndexHead, 'model'>, file: string | undefined) {
  if (file === undefined || (await sha256OfFile(file)) === model.sha256) return;
  throw new InputError(
    `${file} is not the model of ${index} (sha256 ${model.sha256.slice(0, 16)}…): vectors of two models do not compare. Leave --model out, or build the index again.`,
  );
}

async function withIndex<T>(index: string, work: (store: CollectionStore) => Promise<T>): Promise<T> {
  if (!hasIndex(index)) await openStore(index); // says what is wrong, and makes no folder
  return withFolderLock(index, async () => {
    const store = await openStore(index);
    try {
      return await work(store);
    } finally {
      await store.close();
    }
  });
}

/** The index, and of a database that has its vectors the address, and whether the first change there has not ended. */
async function openOrReplace(
  folder: string,
  overwrite: boolean,
): Promise<{ earlier?: CollectionStore; address?: string | undefined; begun?: boolean | undefined }> {
  let known = {};
  try {
    const { store } = await readHead(folder);
    known = { address: store?.address, begun: store?.begun };
    return store?.begun === true ? known : { ...known, earlier: await openStore(folder) };
  } catch (error) {
    if (overwrite && error instanceof InputError) return known;
    throw error;
  }
}

function differenceOf(
  { model, describing, store }: IndexHead,
  wanted: { sha256: string; describing: IndexHead['describing']; address: string | undefined },
): string | undefined {
  if (model.sha256 !== wanted.sha256) return 'another model';
  if (store?.address !== wanted.address) return `vectors in ${store?.address ?? 'its own folder'}`;
  const names = ['pooling', 'size', 'snap'] as const;
  const name = names.find((each) => describing[each] !== wanted.describing[each]);
  return name && `photographs described with --${name} ${describing[name] ?? 'left out'}`;
}

function nothing(index: string, store: CollectionStore): IndexUpdateResult {
  const counts = { added: 0, changed: 0, unchanged: 0, removed: 0, described: 0, resumed: 0 };
  return { index, photographs: store.size, ...counts, failures: [], seconds: 0 };
}

/** `sync`: what is not listed leaves. */
async function update(
  folder: string,
  store: CollectionStore,
  photographs: Parameters<typeof planUpdate>[1],
  { sync = false, ...engine }: EngineChoice & { sync?: boolean; distractors?: string; overwrite?: boolean },
  context: StageContext,
): Promise<IndexUpdateResult> {
  const startedAt = performance.now();
  const { view = silentView, signal } = context;
  const progress = view.progress('compare', photographs.length);
  const plan = await planUpdate(folder, photographs, (id) => store.record(id), {
    signal,
    onProgress: (done) => progress.update(done),
  }).finally(() => progress.stop());
  const listed = new Set(photographs.map(({ id }) => id));
  const remove = sync ? store.ids().filter((id) => !listed.has(id)) : [];
  const result = nothing(folder, store);
  const isNew = ({ id }: CollectionRecord) => store.record(id) === undefined;
  const files = { partial: join(folder, 'describing.jsonl'), partialRows: join(folder, 'describing.f32') };
  const described =
    plan.describe.length === 0 ? undefined : await describe(folder, store, plan, files, engine, context);
  const failures = [...plan.failures, ...(described?.failures ?? [])];
  const records = [...plan.restate, ...(described?.records ?? [])];
  const added = records.filter(isNew).length;
  if (store.size === 0 && records.length === 0) {
    throw new InputError(
      `None of the ${photographs.length} photographs could be described; the first: ${failures[0].error}`,
    );
  }
  if (records.length > 0 || remove.length > 0) {
    // Read first: a store need not answer in the middle of a change.
    const restated = plan.restate.length > 0 && (await store.vectors(plan.restate.map(({ id }) => id)));
    const rows = async function* (): AsyncGenerator<DescriptorRows> {
      if (restated) yield restated;
      if (described !== undefined) yield* described.rows;
    };
    await store.change({ records, rows: rows(), remove });
  } else await removeUnnamed(folder, store.head);
  for (const file of Object.values(files)) await rm(file, { force: true });
  await updateThreshold(folder, store, engine, context);
  return {
    ...result,
    photographs: store.size,
    added,
    changed: records.length - added,
    unchanged: plan.unchanged,
    removed: remove.length,
    described: described?.count ?? 0,
    resumed: described?.resumed ?? 0,
    failures,
    seconds: (performance.now() - startedAt) / 1000,
  };
}

interface DescribedRecords {
  records: CollectionRecord[];
  rows: AsyncIterable<DescriptorRows>;
  /** In this run, and in one before. */
  count: number;
  resumed: number;
  failures: DescribeFailure[];
}

async function describe(
  folder: string,
  store: CollectionStore,
  { describe: wanted }: UpdatePlan,
  files: { partial: string; partialRows: string },
  engine: EngineChoice & { overwrite?: boolean },
  { view = silentView, signal }: StageContext,
): Promise<DescribedRecords> {
  const { model: kept, describing } = store.head;
  await openEngine(engine);
  const { model, describer, dispose } = await openDescriber(join(folder, kept.file), describing, view);
  const failures: DescribeFailure[] = [];
  try {
    store.setDimension(model.dimension);
    const settings: ExtractionSettings = { model: kept.sha256, describing: JSON.stringify(describing) };
    const partial = await PartialDescriptors.open(files, settings, model.dimension, { overwrite: engine.overwrite });
    const waiting = wanted.filter(({ id, sha256 }) => partial.sourceOf(id) !== sha256);
    const resumed = wanted.length - waiting.length;
    const progress = view.progress(resumed === 0 ? 'describe' : `describe (${resumed} kept)`, waiting.length);
    try {
      const load = (record: CollectionRecord) => ({ path: photographPath(folder, record.path) });
      const sizing = sizingFor(model.meta, describing);
      const onProgress = (done: number) => progress.update(done);
      for await (const each of describeImages(describer, waiting, load, { sizing, signal, onProgress })) {
        if ('error' in each) failures.push({ id: each.item.id, error: each.error.message });
        else await partial.append(each.item.id, each.item.sha256, each.descriptor);
      }
    } finally {
      progress.stop();
      await partial.close();
    }
    if (signal?.aborted) {
      throw new InputError(
        `Interrupted with ${partial.size} of ${wanted.length} photographs described; run the same command again to continue.`,
      );
    }
    const failed = new Set(failures.map(({ id }) => id));
    const records = wanted.filter(({ id }) => !failed.has(id));
    const rows = async function* (): AsyncGenerator<DescriptorRows> {
      for await (const bytes of partial.readRows(records.map(({ id }) => id))) {
        yield { dimension: model.dimension, data: new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4) };
      }
    };
    return { records, rows: rows(), count: waiting.length - failures.length, resumed, failures };
  } finally {
    dispose();
  }
}
