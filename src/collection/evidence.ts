/**
 * @file What tells whether a query shows what its nearest photograph shows. Among things that look alike a similarity alone says little: it is
 * told beside the nearest photograph of another object, and beside how alike the object's photographs are among themselves.
 */
import { evenly } from '../data/evenly.js';
import { type DescriptorRows, innerProduct } from '../linear/rows.js';

/** Similarities of a query, and around what it found. */
export interface Evidence {
  /** To the nearest photograph. */
  nearest: number;
  /** To the photographs of its object that are nearest to the query, in the mean. */
  several: number;
  /** How much less similar the nearest photograph of another object is; undefined where there is none. */
  lead: number | undefined;
  /** Of `several` to each other, in the mean; undefined of one photograph. */
  among: number | undefined;
}

/** What is said of a photograph. */
export interface Shown {
  object?: string | undefined;
  sha256?: string | undefined;
  columns: Readonly<Record<string, string>>;
}

/** The photographs that are compared: a `CollectionStore`, or the files of a site. */
export interface ComparedPhotographs {
  record(id: string): Shown | undefined;
  /** Ids of the photographs of an object. */
  having(column: 'object', value: string): string[];
  /** [N, D], unit length. */
  vectors(ids: readonly string[]): Promise<DescriptorRows>;
}

/** Which photographs can be an answer. */
export interface Answers {
  /** Nearest photographs to the query, best first, so many or more. `similarity`: the dot product. */
  ranked: (count: number) => Promise<readonly { id: string; similarity: number }[]>;
  isAnswer?: (photograph: Shown) => boolean;
  /** A photograph that is no answer; with `sha256`, no copy of its file is one either. */
  without?: { id: string; sha256?: string } | undefined;
  /** Photographs of an object whose similarities are averaged. */
  several?: number | undefined;
}

/** Photographs of an object whose similarities are averaged, unless another number is said. */
export const severalPhotographs = 10;
/** Photographs of an object that are compared at most. */
const mostCompared = 100;
/** Neighbours of a query that are looked through for one of another object: at first, and at most. */
export const firstNeighbours = 32;
const mostNeighbours = 256;
/** From this similarity on, a photograph may be a copy. */
const copySimilarity = 0.999;

/** Of a query [D]; undefined where nothing is found. */
export async function evidenceOf(
  store: ComparedPhotographs,
  query: Float32Array,
  { ranked, isAnswer = () => true, without, several = severalPhotographs }: Answers,
): Promise<Evidence | undefined> {
  for (let count = firstNeighbours; ; count *= 8) {
    const neighbours = await ranked(count);
    const found = neighbours
      .map((neighbour) => ({ ...neighbour, record: store.record(neighbour.id)! }))
      .filter(({ id, record }) => id !== without?.id && !isCopy(record, without) && isAnswer(record));
    const nearest = found.at(0);
    const other =
      nearest && found.find(({ record }) => record !== nearest.record && showAnother(nearest.record, record));
    const isAll = neighbours.length < count;
    if (other === undefined && !isAll && count < mostNeighbours) continue;
    if (nearest === undefined) return undefined;
    // Of another one farther than all these, the lead is more than that on the last.
    const bound = other ?? (isAll ? undefined : found[found.length - 1]);
    const { similarities, among } = await nearestOfObject(
      store,
      query,
      { id: nearest.id, object: nearest.record.object },
      several,
      without,
    );
    return {
      nearest: nearest.similarity,
      several: mean(similarities),
      lead: bound && nearest.similarity - bound.similarity,
      among,
    };
  }
}

/** Whether two photographs are said to show different things: of those without an object, and of one group of a manifest, nobody knows. */
export function showAnother(one: Shown, other: Shown): boolean {
  if (one.object === undefined) return true; // alone
  if (other.object === undefined || other.object === one.object) return false;
  return one.columns.group === undefined || one.columns.group !== other.columns.group;
}

/** The photographs of `nearest`'s object that are nearest to the query: their similarities to it, and to each other in the mean. */
async function nearestOfObject(
  store: ComparedPhotographs,
  query: Float32Array,
  { id, object }: { id: string; object?: string | undefined },
  several: number,
  without: Answers['without'],
): Promise<{ similarities: number[]; among: number | undefined }> {
  const others = object === undefined ? [] : store.having('object', object).filter((each) => each !== id);
  const ids = [id, ...evenly(others, mostCompared)].filter((each) => each !== without?.id);
  const { data } = await store.vectors(ids);
  const length = query.length;
  const photographs = ids
    .map((each, row) => ({ id: each, vector: data.subarray(row * length, (row + 1) * length) }))
    .map((each) => ({ ...each, similarity: innerProduct(query, each.vector) }))
    .filter((each) => each.similarity < copySimilarity || !isCopy(store.record(each.id)!, without))
    .toSorted((a, b) => b.similarity - a.similarity)
    .slice(0, several);
  const pairs = photographs.flatMap((one, i) =>
    photographs.slice(i + 1).map((other) => innerProduct(one.vector, other.vector)),
  );
  return {
    similarities: photographs.map(({ similarity }) => similarity),
    among: pairs.length === 0 ? undefined : mean(pairs),
  };
}

function isCopy({ sha256 }: Shown, of: Answers['without']): boolean {
  return of?.sha256 !== undefined && sha256 === of.sha256;
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
