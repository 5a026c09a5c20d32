/** @file What the stores in databases share. */
import { createHash } from 'node:crypto';
import { parseJson } from '../../data/whole-lines.js';
import { InputError, messageOf, UsageError } from '../../errors.js';
import { type DescriptorRows, rowCount } from '../../linear/rows.js';
import { type CollectionRecord, columnOf, namedColumns, recordSchema } from '../collection-record.js';
import type { StoreAddress } from './store-address.js';

/** A table, and what must be in it. */
export interface DatabaseTable {
  address: StoreAddress;
  /** sha256 of the model file. */
  model: string;
  /** D. */
  dimension: number;
  /** The state of the table that counts, where its database keeps earlier ones. */
  version?: number | undefined;
  /**
   * The first change makes the table anew: `new` where it is not there yet or empty, `replace` whatever this project has put there. A
   * table of somebody else is never touched.
   */
  begin?: 'new' | 'replace' | undefined;
}

/** The module of an optional package. @throws InputError that says what to install. */
export async function optionalModule<T>(name: string, installed: string): Promise<T> {
  try {
    return (await import(name)) as T;
  } catch (error) {
    const [reason] = messageOf(error).split(' imported from ');
    throw new InputError(`This store needs the package ${name}: npm install ${installed}. (${reason})`);
  }
}

/**
 * What `work` gives. What a database or the way to it refuses is an InputError of one line with the table's name and no password in it; other
 * errors stay what they are.
 */
export async function asking<T>(address: StoreAddress, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw storeError(address, error);
  }
}

/** `work`'s errors as those of `asking`. */
export async function* askingEach<T>(address: StoreAddress, work: AsyncIterable<T>): AsyncGenerator<T> {
  try {
    yield* work;
  } catch (error) {
    throw storeError(address, error);
  }
}

/** The name of a table in errors. */
export const storeName = ({ place, table }: StoreAddress) => `The store ${table} of ${place}`;

const passwordOf = { postgres: 'PGPASSWORD', qdrant: 'QDRANT_API_KEY', lancedb: undefined } as const;

/** What clients say without a code where the server or the way to it fails. */
const refusals =
  /timeout|timed out|was aborted|Connection terminated|client password must be|Unexpected Response|lance/i;

function storeError(address: StoreAddress, error: unknown): unknown {
  if (error instanceof InputError || error instanceof UsageError) return error;
  const { code, status, cause } = error as { code?: unknown; status?: number; cause?: { code?: unknown } };
  const said = code ?? cause?.code ?? status;
  // Node's own codes, but for those of encrypted connections, are of wrong calls: a defect of this program, as errors without any code are.
  const isCode = typeof said === 'number' || (typeof said === 'string' && !/^ERR_(?!TLS|SSL)/.test(said));
  if (!isCode && !refusals.test(messageOf(error))) return error;
  const reason = `${isCode ? said : ''} ${messageOf(error)}`;
  const variable = passwordOf[address.kind];
  return new InputError(`${storeName(address)}: ${explained(reason, address, variable)}`);
}

function explained(reason: string, { timeout }: StoreAddress, variable: string | undefined): string {
  if (/timeout|timed out|was aborted|ETIMEDOUT|57014/i.test(reason)) {
    return `no answer within ${timeout / 1000} s; run it again, or give the address a longer timeout=SECONDS.`;
  }
  if (/ECONNREFUSED|ENOTFOUND|EHOSTUNREACH|ENETUNREACH|ECONNRESET|EAI_AGAIN|Connection terminated/.test(reason)) {
    const [system = 'the connection ended'] = /\bE[A-Z_]{4,}\b/.exec(reason) ?? [];
    return `the server does not answer (${system}); check the address, and that it runs.`;
  }
  if (variable !== undefined && /\b(28P01|28000|401|403)\b|client password must be/.test(reason)) {
    return `the server refuses the user, or the password that ${variable} has; nothing else holds it.`;
  }
  const secret = variable && process.env[variable];
  const line = reason.trim().split('\n')[0].slice(0, 300);
  return secret ? line.replaceAll(secret, '***') : line;
}

/** @throws InputError where the table is of another model or length than the index. */
export function assertTable(
  { address, model, dimension }: DatabaseTable,
  found: { model: string; dimension: number },
): void {
  if (found.model !== model) {
    throw new InputError(
      `${storeName(address)} has vectors of another model (sha256 ${found.model.slice(0, 16)}…), which do not compare; choose another table.`,
    );
  }
  if (found.dimension !== dimension) {
    throw new InputError(
      `${storeName(address)} has vectors of ${found.dimension} values, the index of ${dimension}; build it again with --overwrite.`,
    );
  }
}

/** What is wrong with a table in which a collection cannot begin. */
export function occupied(address: StoreAddress, rows: number): InputError {
  return new InputError(
    `${storeName(address)} has ${rows} photographs of another index; choose another table, or pass --overwrite to replace them.`,
  );
}

/** What is wrong with a table that this project has not made. */
export function foreign(address: StoreAddress): InputError {
  return new InputError(`${storeName(address)} was not made by rmac, which leaves it alone; choose another name.`);
}

/** What is wrong where there is no table. */
export function missingTable(address: StoreAddress): InputError {
  return new InputError(`${storeName(address)} is not there (any more); build the index again with --overwrite.`);
}

/** Records and their vectors [N, D] together, at most `most` at once. */
export async function* recordBatches(
  records: readonly CollectionRecord[],
  rows: AsyncIterable<DescriptorRows> | undefined,
  most: number,
): AsyncGenerator<{ records: readonly CollectionRecord[] } & DescriptorRows> {
  let next = 0;
  for await (const block of rows ?? []) {
    const { dimension, data } = block;
    for (let row = 0, count = rowCount(block); row < count; row += most) {
      const end = Math.min(count, row + most);
      const batch = records.slice(next, next + end - row);
      next += end - row;
      yield { records: batch, dimension, data: data.subarray(row * dimension, end * dimension) };
    }
  }
  if (next !== records.length) throw new Error(`${records.length} records came with ${next} vectors.`);
}

/** Parts of a list, at most `most` long. */
export function* partsOf<T>(list: readonly T[], most: number): Generator<T[]> {
  for (let first = 0; first < list.length; first += most) yield list.slice(first, first + most);
}

/** The vectors of `ids` in their order. @throws InputError where one is missing. */
export function inOrder(
  address: StoreAddress,
  ids: readonly string[],
  dimension: number,
  found: ReadonlyMap<string, ArrayLike<number>>,
): DescriptorRows {
  const data = new Float32Array(ids.length * dimension);
  ids.forEach((id, row) => {
    const vector = found.get(id);
    if (vector === undefined) {
      throw new InputError(`${storeName(address)} has no photograph "${id}" any more; open the index again.`);
    }
    data.set(vector, row * dimension);
  });
  return { dimension, data };
}

/** 32 hexadecimal digits, the same for equal texts: what a query can name without a word of a stranger in it. */
export function digestOf(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 32);
}

/** A column with its value as one key of a filter. */
export const columnKey = (column: string, value: string) => digestOf(JSON.stringify([column, value]));

/** The keys of all that can be filtered by. */
export function columnKeys(record: CollectionRecord): string[] {
  const names = new Set<string>([...namedColumns, ...Object.keys(record.columns)]);
  return [...names].flatMap((name) => {
    const value = columnOf(record, name);
    return value === undefined ? [] : [columnKey(name, value)];
  });
}

/** A record as a database gives it, or its text. @throws InputError where it is not one. */
export function parsedRecord(address: StoreAddress, found: unknown): CollectionRecord {
  const parsed = recordSchema.safeParse(typeof found === 'string' ? parseJson(found) : found);
  if (!parsed.success) throw new InputError(`${storeName(address)} is damaged: a record is not one of rmac.`);
  return parsed.data;
}
