/** @file What an evaluation takes from elsewhere: descriptors, ranked lists and distractors, with ids as the ground truth writes them. */
import { InputError } from '../errors.js';
import type { GroundTruthDescriptors } from '../retrieval/describe-ground-truth.js';
import { type DescriptorSet, isRowsAlone, readDescriptorFolder } from '../retrieval/descriptor-folder.js';
import type { GroundTruth } from '../retrieval/ground-truth.js';
import { benchmarkId } from '../retrieval/protocols/benchmark.js';
import { distractorDescriptors, distractorImages, holdsDescriptors } from '../retrieval/protocols/distractors.js';
import { isPublished, type TruthSource } from '../retrieval/protocols/truth-source.js';
import { renameDescriptors } from '../retrieval/protocols/rename-descriptors.js';
import {
  isIndexRankings,
  namesOfCompleteRankings,
  type RankingsFile,
  readRankings,
} from '../retrieval/rankings-file.js';
import { type StageContext, silentView } from './context.js';

/** One of `model`, `preset`, `descriptors` and `ranks` says what is measured. */
export interface MeasuredChoice extends TruthSource {
  /** Describe the images with this model file. */
  model?: string;
  /** Or by this published system. */
  preset?: string;
  /** Or take them from a folder of `extract`, or an .npy file in the order of the ground truth. */
  descriptors?: string;
  /** Descriptors of the queries, where they are not in `descriptors`. */
  queries?: string;
  /** Or score ranked lists: text, .rnk, .json or .npy. */
  ranks?: string;
  /** Images or descriptors to search in as well, right for no query. */
  distractors?: string;
}

/** What was computed elsewhere. */
export interface MeasuredSources {
  database?: DescriptorSet;
  queries?: { set: DescriptorSet; folder: string };
  rankings?: RankingsFile;
  /** Distractors as entries of the database, and their descriptors where there are some. */
  distractors?: readonly { id: string; image: string }[];
  distractorTable?: DescriptorSet | GroundTruthDescriptors['database'];
}

/** Whether descriptors are rows without ids, which only the order of the ground truth names. */
export function areRowsAlone({ descriptors, queries }: MeasuredChoice): boolean {
  return [descriptors, queries].some((source) => source !== undefined && isRowsAlone(source));
}

/** Reads descriptors, rankings and distractors that are named. `order`: what names rows without ids. */
export async function readMeasuredSources(
  choice: MeasuredChoice,
  order: GroundTruth | undefined,
  { view = silentView }: StageContext,
): Promise<MeasuredSources> {
  const { protocol, descriptors, queries, ranks, distractors } = choice;
  const named = isPublished(protocol);
  const read = async (folder: string, entries?: readonly { id: string }[]) => {
    const set = await readDescriptorFolder(
      folder,
      entries?.map(({ id }) => id),
    );
    if (set.notUnit)
      view.note(`${folder}: rows are not of unit length; images are ranked by the dot product as it is.`);
    return set;
  };
  const readNamed = async (folder: string, entries?: readonly { id: string }[]) => {
    const set = await read(folder, entries);
    return named ? renameDescriptors(set, benchmarkId, folder) : set;
  };
  const sources: MeasuredSources = {};
  if (descriptors !== undefined) sources.database = await readNamed(descriptors, order?.database);
  if (queries !== undefined) sources.queries = { set: await readNamed(queries, order?.queries), folder: queries };
  if (ranks !== undefined) sources.rankings = await readRankings(ranks, named ? { idOf: benchmarkId } : {});
  if (distractors !== undefined) {
    if (await holdsDescriptors(distractors)) {
      const { table, entries } = distractorDescriptors(await read(distractors));
      Object.assign(sources, { distractors: entries, distractorTable: table });
    } else if (choice.model === undefined && choice.preset === undefined) {
      throw new InputError(`${distractors} has no descriptors.npy; with --descriptors, extract the distractors, too.`);
    } else sources.distractors = await distractorImages(distractors);
  }
  return sources;
}

/** Ids that descriptors or rankings name, in case they are all that is known of the database. */
export function knownIds(
  { database, rankings }: MeasuredSources,
  { protocol, ranks = '' }: MeasuredChoice,
): string[] | undefined {
  if (database !== undefined) return [...database.ids, ...database.failures.map(({ id }) => id)];
  if (rankings === undefined || !/^(?:holidays|ukbench)/.test(protocol)) return undefined;
  return isIndexRankings(rankings) ? undefined : namesOfCompleteRankings(rankings, ranks);
}
