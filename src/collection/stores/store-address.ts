/** @file Where the vectors of a collection are when they are in a database, as one line of text that holds no password. */
import { UsageError } from '../../errors.js';

/** How the nearest vectors are found: by comparing all, or by a graph or cells, which may miss some. */
export type StoreIndex = 'none' | 'hnsw' | 'ivf';

export interface StoreAddress {
  kind: 'postgres' | 'qdrant' | 'lancedb';
  /** As it was written. */
  text: string;
  /** Server and database (postgres), server (qdrant), folder (lancedb). */
  place: string;
  /** Table or collection. */
  table: string;
  index: StoreIndex;
  /** That one request may take, ms. */
  timeout: number;
}

/** How an address is written, for help and errors. */
export const storeAddressForms =
  'postgres://[USER@]HOST[:PORT]/DATABASE?table=NAME, qdrant+http://HOST:PORT/COLLECTION or lancedb:DIR';

const indexes: Readonly<Record<StoreAddress['kind'], readonly StoreIndex[]>> = {
  postgres: ['none', 'hnsw'],
  qdrant: ['none', 'hnsw'],
  lancedb: ['none', 'hnsw', 'ivf'],
};
const defaultTimeout = 60;

/** @throws UsageError for another form, unknown options, or a password, which belongs into the environment. */
export function parseStoreAddress(text: string): StoreAddress {
  const [, kind = '', scheme = ''] = /^(postgres|qdrant|lancedb)(?:ql|\+(https?))?:/.exec(text) ?? [];
  if (kind === 'lancedb') {
    const [, folder, query] = /^lancedb:([^?]+)(?:\?(.*))?$/.exec(text) ?? [];
    if (folder !== undefined) return withOptions(text, kind, folder, 'photographs', query);
  } else if ((kind === 'qdrant') === (scheme !== '') && URL.canParse(text.replace('qdrant+', ''))) {
    const url = new URL(text.replace('qdrant+', ''));
    if (url.password !== '' || (kind === 'qdrant' && url.username !== '')) {
      const variable = kind === 'postgres' ? 'PGPASSWORD (or ~/.pgpass)' : 'QDRANT_API_KEY';
      throw new UsageError(`The address of a store holds no password, since it is kept; set ${variable} instead.`);
    }
    const [name, ...rest] = url.pathname.slice(1).split('/');
    const isPlain = url.hostname !== '' && name !== '' && rest.length === 0;
    if (isPlain && kind === 'qdrant') return withOptions(text, kind, url.origin, decoded(name), url.search);
    if (isPlain && kind === 'postgres') {
      return withOptions(
        text,
        kind,
        `postgres://${url.username && `${url.username}@`}${url.host}/${name}`,
        '',
        url.search,
      );
    }
  }
  throw new UsageError(`No address of a store: expected ${storeAddressForms}.`);
}

function withOptions(text: string, kind: StoreAddress['kind'], place: string, named: string, query = ''): StoreAddress {
  const {
    table = named,
    index = 'none',
    timeout = `${defaultTimeout}`,
    ...rest
  } = Object.fromEntries(new URLSearchParams(query));
  const [unknown] = Object.keys(rest);
  if (unknown !== undefined) {
    throw new UsageError(`Unknown option "${unknown}" of a store's address. Known: table, index, timeout.`);
  }
  const kindOfIndex = indexes[kind].find((each) => each === index);
  if (kindOfIndex === undefined) {
    throw new UsageError(`index=${index}: ${kind} has ${indexes[kind].join(', ')}.`);
  }
  // What every one of them takes for a name, and for a file's.
  if (!/^[A-Za-z_][\w-]{0,62}$/.test(table)) {
    throw new UsageError(
      table === ''
        ? `No table is named; expected ${storeAddressForms}.`
        : `"${table}" cannot be the name of a table: a letter or _, then at most 62 letters, digits, _ and -.`,
    );
  }
  const seconds = Number(timeout);
  if (!(seconds > 0 && seconds <= 86_400)) {
    throw new UsageError(`timeout=${timeout}: expected seconds, such as timeout=${defaultTimeout}.`);
  }
  return { kind, text, place, table, index: kindOfIndex, timeout: 1000 * seconds };
}

function decoded(name: string): string {
  try {
    return decodeURIComponent(name);
  } catch {
    return name;
  }
}
