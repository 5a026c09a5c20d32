import type { GroundTruth } from '../retrieval/ground-truth.js';
import { thumbnail } from './thumbnail.js';

/** Thumbnails of a ground truth's images by id, each made once; undefined where a file cannot be read. */
export class GroundTruthPictures {
  readonly #pathOf: ReadonlyMap<string, string>;
  readonly #queries: GroundTruth['queries'];
  readonly #made = new Map<string, Promise<string | undefined>>();

  constructor({ queries, database }: GroundTruth) {
    this.#pathOf = new Map(database.map(({ id, image }) => [id, image]));
    this.#queries = queries;
  }

  result(id: string): Promise<string | undefined> {
    const made = this.#made.get(id) ?? thumbnail(this.#pathOf.get(id) ?? '');
    this.#made.set(id, made);
    return made;
  }

  query(id: string): Promise<string | undefined> {
    const query = this.#queries.find((one) => one.id === id);
    return query === undefined ? Promise.resolve(undefined) : thumbnail(query.image, { crop: query.box });
  }
}
