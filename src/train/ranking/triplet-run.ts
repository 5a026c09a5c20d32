/** @file Triplet training in a run folder. */
import { join } from 'node:path';
import type { RgbImage } from '../../data/rgb-image.js';
import type { ImageRecord } from '../../data/manifest.js';
import type { DescriptorModel } from '../../models/descriptor.js';
import { checkpointFiles } from '../../run/checkpoint.js';
import { type FitRecord, fitTriplets, type FitTripletsOptions, type TripletState } from './fit-triplets.js';
import { contactSheet } from '../../report/contact-sheet.js';
import type { TaggedPicture } from '../../run/observe-run.js';
import { recordRun, type RunNotes } from '../record-run.js';
import { showsPlaces, similarPair } from '../../report/similarity-pictures.js';
import type { RunFolder } from '../../run/run-folder.js';
import { withProposals } from '../proposals/rpn-run.js';
import { loadForTraining } from '../starting-model.js';
import { type TripletConfig, tripletConfigSchema } from './triplet-config.js';
import { readTripletCheckpoint } from './triplet-state.js';

export interface TripletRunOptions
  extends RunNotes,
    Pick<FitTripletsOptions, 'head' | 'resume' | 'onMining' | 'signal' | 'timeout'> {
  model: DescriptorModel;
  records: readonly ImageRecord[];
  config: TripletConfig;
  /** mAP of the model as it is (undefined when interrupted), and figures that go into the log beside it. */
  measure?: () => Promise<{ map: number; [figure: string]: number } | undefined>;
}

/** Model and state of the run's newest checkpoint; undefined where there is none. */
export async function openCheckpoint(
  folder: RunFolder,
  config: TripletConfig,
): Promise<{ model: DescriptorModel; resume: NonNullable<FitTripletsOptions['resume']> } | undefined> {
  const checkpoint = await folder.latestCheckpoint();
  if (checkpoint === undefined) return undefined;
  const resume = await readTripletCheckpoint(checkpoint);
  const file = join(checkpoint, checkpointFiles.model);
  return { model: await loadForTraining(file, { ...config, whitenDimension: 0 }), resume };
}

/** `fitTriplets` with its results in `folder`. Yields what it appends to the log; the caller disposes of the model. */
export function runTriplets(folder: RunFolder, { measure, ...options }: TripletRunOptions): AsyncGenerator<FitRecord> {
  const { model, head, records, config, resume, manifest, scalars, whitening } = options;
  const learning = config.rpnWeight > 0 ? head : undefined;
  return recordRun<TripletState, 'map', FitRecord>(folder, {
    model: learning === undefined ? model : withProposals(model, learning),
    trained: [...model.trainable(config.freeze).keys(), ...(learning?.variables.keys() ?? [])],
    schema: tripletConfigSchema,
    config,
    resumed: resume?.state,
    measure,
    manifest,
    scalars,
    whitening,
    pictures: (record) => minedTriplets(record, { model, records, config }),
    fit: ({ measure: measureAll, ...hooks }) =>
      fitTriplets({
        ...options,
        ...hooks,
        ...(measureAll && { measure: async () => (await measureAll())?.map }),
      }),
  });
}

/** Of the hardest triplets of a mining, how many show what makes query and positive similar. */
const shownPairs = 2;

/** The hardest triplets of a mining as a picture, and the places that make query and positive similar as another. */
async function minedTriplets(
  log: FitRecord,
  { model, records, config }: Pick<TripletRunOptions, 'model' | 'records' | 'config'>,
): Promise<TaggedPicture[]> {
  if (log.event !== 'mine' || log.hardest.length === 0) return [];
  const pathOf = new Map(records.map(({ id, path }) => [id, path]));
  const rows = log.hardest.map(({ query, positive, negative }) =>
    [query, positive, negative].map((id) => pathOf.get(id) as string),
  );
  const pictures = [{ tag: 'mining/hardest', picture: await contactSheet(rows, ['query', 'positive', 'negative']) }];
  if (!showsPlaces(model)) return pictures;
  const pairs: RgbImage[][] = [];
  for (const [query, positive] of rows.slice(0, shownPairs)) {
    const pair = await similarPair(model, [query, positive], config);
    if (pair === undefined) continue;
    const {
      photographs: [a, b],
      overlays,
    } = pair;
    pairs.push([a, overlays[0], overlays[1], b]);
  }
  const columns = ['query', 'query', 'positive', 'positive'] as const;
  return [...pictures, { tag: 'mining/places', picture: await contactSheet(pairs, columns) }];
}
