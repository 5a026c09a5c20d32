/**
 * @file A table of images and their labels as CSV, such as a spreadsheet saves: a first line of names, then a photograph a
 * line. `path` is relative to the table, `label` (or `landmark`) its landmark, none where it is empty; `id` and `group` are the
 * manifest's; every other column is kept under its name, as text. Commas, semicolons or tabs between cells, quoted or not.
 */
import type { ImageRecord } from './manifest.js';
import { dirname, join } from 'node:path';
import { type CsvError, type InfoDataSet, parse } from 'csv-parse/sync';
import { InputError } from '../errors.js';
import { listedImagePath, pathInside } from './image-path.js';
import { readText, whyUnreadable } from './read-file.js';

/** An image as a folder or a table names it. */
export interface LabelledImage extends Pick<ImageRecord, 'path' | 'group' | 'fields'> {
  /** Names to the file, which its id is made of unless it has one. */
  parts: readonly string[];
  id?: string;
  landmark?: string;
}

const expected = 'expected a first line with the columns path and label, separated by commas, semicolons or tabs';

/** Whether the name is that of a table. */
export function isTableName(name: string): boolean {
  return /\.(csv|tsv)$/i.test(name);
}

export interface TableOptions {
  /** Columns that are meant by these names in place of those that are called so. */
  names?: Readonly<Partial<Record<'path' | 'label' | 'id', string>>>;
  /** Whether there must be a column of labels. Default true. */
  labelled?: boolean;
}

/**
 * The images of a table, in its order. @throws InputError naming `file:line`: lines of another length, no columns path and
 * label, a path out of the table's folder, an id that is used twice.
 */
export async function readImageTable(file: string, options: TableOptions = {}): Promise<LabelledImage[]> {
  const text = await readText(file).catch((error: unknown) => {
    throw new InputError(`Cannot read table ${file}: ${whyUnreadable(file, error)}`);
  });
  const nameOf = namer(options.names);
  const [header, ...rows] = rowsOf(text, file, nameOf);
  const columns = columnsOf((header?.cells ?? []).map(nameOf), file, options);
  const lineOfId = new Map<string, number>();
  const folder = dirname(file);
  return rows.map(({ cells, line }): LabelledImage => {
    const where = `${file}:${line}`;
    const cell = (name: string): string | undefined => {
      const at = columns.known.get(name);
      const value = at === undefined ? undefined : cells[at].trim();
      // oxlint-disable-next-line no-control-regex
      if (value !== undefined && /[\u0000-\u001f\u007f]/.test(value)) {
        throw new InputError(`${where}: "${name}" must not contain control characters or line breaks.`);
      }
      return value || undefined;
    };
    const path = cell('path');
    if (path === undefined) throw new InputError(`${where}: "path" is empty.`);
    const inside = pathInside(folder, listedImagePath(path, { where, folder })) as string;
    const id = cell('id');
    if (columns.known.has('id')) {
      if (id === undefined) throw new InputError(`${where}: "id" is empty; fill the column or remove it.`);
      const earlier = lineOfId.get(id);
      if (earlier !== undefined) throw new InputError(`${where}: the id "${id}" was used in line ${earlier}.`);
      lineOfId.set(id, line);
    }
    return {
      path: join(folder, inside),
      parts: inside.split('/'),
      id,
      landmark: cell('label') ?? cell('landmark'),
      group: cell('group'),
      ...(columns.others.length > 0 && {
        fields: Object.fromEntries(columns.others.map(({ name, at }) => [name, cells[at]])),
      }),
    };
  });
}

interface Row {
  cells: string[];
  /** Where it ends, from 1. */
  line: number;
}

/** The cells of each line, under the first delimiter that makes `path` a column. */
function rowsOf(text: string, file: string, nameOf: (cell: string) => string): Row[] {
  const split = (delimiter: string, options: object): Row[] =>
    (
      parse(text, { delimiter, info: true, skip_empty_lines: true, ...options }) as unknown as {
        record: string[];
        info: InfoDataSet;
      }[]
    ).map(({ record, info }) => ({ cells: record, line: info.lines }));
  try {
    const delimiter = [',', ';', '\t'].find((each) =>
      split(each, { to: 1 })[0]?.cells.some((name) => nameOf(name) === 'path'),
    );
    if (delimiter === undefined) throw new InputError(`${file}: ${expected}.`);
    return split(delimiter, {});
  } catch (error) {
    if (error instanceof InputError) throw error;
    throw new InputError(`${file}: cannot be read as CSV: ${(error as CsvError).message}`);
  }
}

/** What a cell of the first line names. Names that a manifest has are known in any case. */
function namer(names: TableOptions['names'] = {}): (cell: string) => string {
  const meant = new Map(Object.entries(names).map(([name, column]) => [column, name]));
  return (cell) => {
    const name = cell.trim();
    const given = meant.get(name);
    if (given !== undefined) return given;
    const known = /^(path|label|landmark|id|group|box)$/i.test(name) ? name.toLowerCase() : name;
    return Object.hasOwn(names, known) ? ` ${name}` : known; // another column has that meaning
  };
}

function columnsOf(header: readonly string[], file: string, { names = {}, labelled = true }: TableOptions) {
  const known = new Map<string, number>();
  const others: { name: string; at: number }[] = [];
  const seen = new Set<string>();
  for (const [at, name] of header.entries()) {
    if (name === '') continue; // the numbers of rows that some programs put first
    if (seen.has(name)) throw new InputError(`${file}: has two columns "${name}"; rename one.`);
    seen.add(name);
    if (name === 'box') throw new InputError(`${file}: rename its column "box", which a manifest has for pixels.`);
    if (['path', 'label', 'landmark', 'id', 'group'].includes(name)) known.set(name, at);
    else others.push({ name: name.trim(), at });
  }
  for (const [name, column] of Object.entries(names)) {
    if (!known.has(name)) throw new InputError(`${file} has no column "${column}", which was named for ${name}.`);
  }
  const labels = ['label', 'landmark'].filter((name) => known.has(name)).length;
  if (labels > 1 || (labelled && labels === 0)) throw new InputError(`${file}: ${expected}.`);
  return { known, others };
}
