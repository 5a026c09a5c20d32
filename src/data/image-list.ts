/** @file What `--images` may be: a folder, a manifest, a table, or a text file of paths; all become (id, path, box) in a fixed order. */
import { stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { findImages } from './find-images.js';
import { isTableName, type LabelledImage, readImageTable } from './image-table.js';
import { type Box, readManifest } from './manifest.js';
import { slashedPath } from './slashed-path.js';
import { readText } from './read-file.js';
import { InputError, messageOf } from '../errors.js';
import { groupBy } from './group-by.js';

export interface ListedImage {
  id: string;
  path: string;
  box?: Box;
}

/**
 * Lists the images of a folder (those that find-images.ts finds), of a `.jsonl` manifest, of a `.csv`
 * table with a column `path` (image-table.ts), or of a
 * text file with one path per line, relative to that file. Where there is no id, it is the path without
 * extension, relative to the folder or as written; with extension where two files differ only in it. A folder is sorted by name, the others keep their order.
 */
export async function listImages(source: string): Promise<ListedImage[]> {
  let isFolder: boolean;
  try {
    isFolder = (await stat(source)).isDirectory();
  } catch (error) {
    throw new InputError(`Cannot read --images ${source}: ${messageOf(error)}`);
  }
  const images = isFolder
    ? await listFolder(source)
    : source.endsWith('.jsonl')
      ? (await readManifest(source)).map(({ id, path, box }) => ({ id, path, box }))
      : isTableName(source)
        ? await listTable(source)
        : await readList(source);
  if (images.length === 0)
    throw new InputError(`${source} lists no images; expected a folder, a .jsonl manifest or a list of paths.`);
  return images;
}

async function listFolder(folder: string): Promise<ListedImage[]> {
  const { images, unreadable } = await findImages(folder);
  if (unreadable.length > 0) throw new InputError(`Cannot read ${unreadable[0].path}: ${unreadable[0].reason}`);
  return identified(images.map(({ parts, path }) => ({ name: parts.join('/'), path })).toSorted(byName));
}

function byName(a: { name: string }, b: { name: string }): number {
  return a.name < b.name ? -1 : 1;
}

async function listTable(file: string): Promise<ListedImage[]> {
  return identifyImages(await readImageTable(file)).map(({ id, path }) => ({ id, path }));
}

/** The images of a table with an id each: its own, or its path without extension. */
export function identifyImages<T extends Pick<LabelledImage, 'id' | 'parts' | 'path'>>(
  images: readonly T[],
): (T & { id: string })[] {
  const named = identified(images.map(({ id, parts, path }) => ({ name: id ?? parts.join('/'), path })));
  return images.map((image, i) => ({ ...image, id: image.id ?? named[i].id }));
}

async function readList(file: string): Promise<ListedImage[]> {
  const text = await readText(file);
  if (text.includes('\0')) throw new InputError(`${file} is neither a .jsonl manifest nor a text list of image paths.`);
  const lines = text.split(/\r?\n/).filter((line) => line.trim() !== '');
  const folder = dirname(file);
  const names = lines.map((line) => slashedPath(line, folder));
  return identified(names.map((name) => ({ name, path: resolve(folder, name) })));
}

function identified(files: readonly { name: string; path: string }[]): ListedImage[] {
  const withoutExtension = (name: string) => name.replace(/\.[^./\\]*$/, '');
  const stems = groupBy(files, ({ name }) => withoutExtension(name));
  const images = files.map(({ name, path }) => {
    const stem = withoutExtension(name);
    return { id: stems.get(stem)?.length === 1 ? stem : name, path };
  });
  const seen = new Set<string>();
  for (const { id } of images) {
    // ids become lines of ids.txt
    // oxlint-disable-next-line no-control-regex
    if (/[\u0000-\u001f\u007f]/.test(id)) {
      throw new InputError(`The name ${JSON.stringify(id)} has control characters; rename the file.`);
    }
    if (seen.has(id)) throw new InputError(`"${id}" is listed twice; ids must be unique.`);
    seen.add(id);
  }
  return images;
}
