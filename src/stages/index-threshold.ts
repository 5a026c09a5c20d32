/** @file The threshold of a collection, learned from its labels or from photographs of other things. */
import { join } from 'node:path';
import type { CollectionStore } from '../collection/vector-store.js';
import { learnFromDistractors, learnThreshold } from '../collection/learn-threshold.js';
import { evenly } from '../data/evenly.js';
import { listImages } from '../data/image-list.js';
import { InputError } from '../errors.js';
import { describeImages, sizingFor } from '../retrieval/describe.js';
import { type StageContext, silentView } from './context.js';
import { type EngineChoice, openDescriber, openEngine } from './open-model.js';

/** Photographs of other things that are described. */
const mostDistractors = 500;

/** Learns the threshold where what is stated is not of what is there now; by `distractors` (as `--images`) where they are given. */
export async function updateThreshold(
  folder: string,
  store: CollectionStore,
  { distractors, ...engine }: EngineChoice & { distractors?: string },
  context: StageContext = {},
): Promise<void> {
  if (distractors !== undefined) {
    const learned = await learnFromDistractors(store, describeDistractors(folder, store, distractors, engine, context));
    await store.setThreshold({ ...learned, fixed: learned.similarity !== undefined });
  } else if (!store.hasThreshold) {
    await store.setThreshold(await learnThreshold(store, context.signal));
  }
}

/** Vectors of what can be described of `source`. */
async function* describeDistractors(
  folder: string,
  store: CollectionStore,
  source: string,
  engine: EngineChoice,
  { view = silentView, signal }: StageContext,
): AsyncGenerator<Float32Array> {
  const images = evenly(await listImages(source), mostDistractors);
  const { model: kept, describing } = store.head;
  await openEngine(engine);
  const { model, describer, dispose } = await openDescriber(join(folder, kept.file), describing, view);
  const progress = view.progress('distractors', images.length);
  try {
    const sizing = sizingFor(model.meta, describing);
    const onProgress = (done: number) => progress.update(done);
    for await (const each of describeImages(describer, images, (image) => image, { sizing, signal, onProgress })) {
      if ('descriptor' in each) yield each.descriptor;
    }
    if (signal?.aborted) throw new InputError('Interrupted among the distractors; run the same command again.');
  } finally {
    progress.stop();
    dispose();
  }
}
