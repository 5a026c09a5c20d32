/** @file What `--images` may be: a folder, a manifest, or a text file of paths; all become (id, path, box) in a fixed order. */
import { readdir, stat } from 'node:fs/promises';
import { dirname, join, resolve, sep } from 'node:path';
import { hasImageName } from '../data/image-format.js';
import { type Box, readManifest } from '../data/manifest.js';
import { readFile } from '../data/read-file.js';
import { InputError, messageOf } from '../errors.js';
import { groupBy } from '../data/group-by.js';

export interface ListedImage {
  id: string;
  path: string;
  box?: Box;
}

/**
 * Lists the images of a folder (recursively, hidden files left out), of a `.jsonl` manifest, or of a
 * text file with one path per line, relative to that file. In the first and last case the id is the path without
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
      : await readList(source);
  if (images.length === 0)
    throw new InputError(`${source} lists no images; expected a folder, a .jsonl manifest or a list of paths.`);
  return images;
}

async function listFolder(folder: string): Promise<ListedImage[]> {
  const names = (await readdir(folder, { recursive: true }))
    .map((name) => name.split(sep).join('/'))
    .filter((name) => hasImageName(name) && !name.split('/').some((part) => part.startsWith('.')))
    .toSorted();
  return identified(names.map((name) => ({ name, path: join(folder, name) })));
}

async function readList(file: string): Promise<ListedImage[]> {
  const text = await readFile(file, 'utf8');
  if (text.includes('\0')) throw new InputError(`${file} is neither a .jsonl manifest nor a text list of image paths.`);
  const lines = text.split(/\r?\n/).filter((line) => line.trim() !== '');
  return identified(lines.map((line) => ({ name: line, path: resolve(dirname(file), line) })));
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
