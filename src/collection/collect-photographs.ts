/** @file The photographs of a source, and what it says of them: a folder, a manifest, a CSV table or a list of paths. */
import { stat } from 'node:fs/promises';
import { isTableName, readImageTable } from '../data/image-table.js';
import { identifyImages, listImages } from '../data/image-list.js';
import { pathInside } from '../data/image-path.js';
import { readManifest } from '../data/manifest.js';
import { labelByDepth } from '../data/scan.js';
import { InputError } from '../errors.js';
import { type CollectedPhotograph, namedColumns } from './collection-record.js';

/** Names under which a source has what a collection knows by name; default: the same, `object` also `label` or `landmark`. */
export type ColumnNames = Readonly<Partial<Record<(typeof namedColumns)[number] | 'id' | 'path', string>>>;

export const columnMeanings = ['id', 'path', ...namedColumns] as const;

/**
 * The photographs in the order of the source. Ids are those of the source, else the path without extension. Any column
 * that has no meaning here is kept as text. What lies in folders below a folder shows the object that the first of them is named after, as
 * for `rmac data scan`.
 * @throws InputError as the reader of the source, and for a column that is named and not there.
 */
export async function collectPhotographs(source: string, names: ColumnNames = {}): Promise<CollectedPhotograph[]> {
  const { id, path, object } = names;
  if (source.endsWith('.jsonl')) {
    if (id !== undefined || path !== undefined) {
      throw new InputError(`${source}: a manifest has "id" and "path"; only a table's columns can be named for them.`);
    }
    return (await readManifest(source)).map((record) =>
      photograph(record.id, record.path, { group: record.group, ...record.fields }, names, record.landmark),
    );
  }
  if (!isTableName(source)) {
    if (Object.keys(names).length > 0)
      throw new InputError(`${source} has no columns; only tables and manifests have.`);
    const isFolder = (await stat(source).catch(() => undefined))?.isDirectory() === true;
    return (await listImages(source)).map((image) => {
      const inside = isFolder ? pathInside(source, image.path)?.split('/') : undefined;
      const label = inside && labelByDepth(1)(inside);
      return { id: image.id, path: image.path, ...(label !== undefined && { object: label }), columns: {} };
    });
  }
  const images = await readImageTable(source, {
    labelled: false,
    names: { ...(id && { id }), ...(path && { path }), ...(object && { label: object }) },
  });
  return identifyImages(images).map((image) =>
    photograph(
      image.id,
      image.path,
      { group: image.group, ...image.fields },
      { ...names, object: undefined },
      image.landmark,
    ),
  );
}

/** `label`: what it shows, unless another field is named for that. */
function photograph(
  id: string,
  path: string,
  fields: Readonly<Record<string, unknown>>,
  names: ColumnNames,
  label: string | undefined,
): CollectedPhotograph {
  const columns = Object.entries(fields).flatMap(([name, value]): [string, string][] => {
    const text = textOf(value);
    return text === '' ? [] : [[name, text]];
  });
  const found: CollectedPhotograph = { id, path, columns: {} };
  if (label !== undefined && names.object === undefined) found.object = label;
  for (const [name, text] of columns) {
    const meaning = namedColumns.find((each) => (names[each] ?? each) === name.toLowerCase() || names[each] === name);
    if (meaning === undefined || found[meaning] !== undefined) found.columns[name] = text;
    else found[meaning] = text;
  }
  return found;
}

function textOf(value: unknown): string {
  if (value === undefined || value === null) return '';
  return typeof value === 'string' ? value.trim() : JSON.stringify(value);
}
