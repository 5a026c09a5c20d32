/**
 * @file The images below a folder, for everything that takes one: the same files in the same order wherever it is named.
 *
 * - An image is a file with an image's extension or an image's first bytes; the rest, and hidden names, are skipped.
 * - Links are followed, each folder is entered once: links last, so that a folder has its own name where it lies below
 *   the searched one as well, and a link that leads back up ends there.
 */
import type { Dirent } from 'node:fs';
import { readdir, realpath, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { InputError, messageOf } from '../errors.js';
import { hasImageName, unfitFile } from './image-format.js';

export interface FoundImage {
  /** Names from the searched folder to the file. */
  parts: string[];
  /** The searched folder joined with these. */
  path: string;
}

export interface FoundImages {
  /** In the order of the names' UTF-16 codes, folder by folder. */
  images: FoundImage[];
  /** Folders that cannot be read. */
  unreadable: { path: string; reason: string }[];
  /** Files that are no images, and hidden ones. */
  skipped: number;
}

/** Searches `folder`. Throws what the system says where it cannot be read. */
export async function findImages(folder: string): Promise<FoundImages> {
  const found: FoundImages = { images: [], unreadable: [], skipped: 0 };
  const entered = new Set<string>();
  const links: string[][] = [];
  const visit = async (parts: string[]): Promise<void> => {
    const place = join(folder, ...parts);
    const real = await realpath(place);
    if (entered.has(real)) return;
    entered.add(real);
    for (const entry of (await readdir(place, { withFileTypes: true })).toSorted((a, b) =>
      byNames([a.name], [b.name]),
    )) {
      const inside = [...parts, entry.name];
      const path = join(place, entry.name);
      const kind = entry.name.startsWith('.') ? undefined : await kindOf(entry, path);
      if (kind === 'folder' && entry.isSymbolicLink()) links.push(inside);
      else if (kind === 'folder') await visitBelow(inside);
      // also a dangling link with an image's name: decoding it says what is wrong
      else if (kind !== undefined && (hasImageName(entry.name) || (kind === 'file' && (await looksLikeImage(path))))) {
        found.images.push({ parts: inside, path });
      } else found.skipped++;
    }
  };
  const visitBelow = (parts: string[]) =>
    visit(parts).catch((error: unknown) => {
      if (!isDenied(error)) throw error;
      found.unreadable.push({ path: join(folder, ...parts), reason: messageOf(error) });
    });
  await visit([]);
  for (let parts = links.shift(); parts !== undefined; parts = links.shift()) await visitBelow(parts);
  found.images.sort((a, b) => byNames(a.parts, b.parts));
  return found;
}

async function kindOf(entry: Dirent, path: string): Promise<'folder' | 'file' | 'other'> {
  const kind = entry.isSymbolicLink() ? await stat(path).catch(() => undefined) : entry;
  if (kind?.isDirectory()) return 'folder';
  return kind?.isFile() ? 'file' : 'other';
}

async function looksLikeImage(path: string): Promise<boolean> {
  try {
    return (await unfitFile(path)) === undefined;
  } catch (error) {
    if (!(error instanceof InputError) && !isDenied(error)) throw error;
    return false;
  }
}

function isDenied(error: unknown): boolean {
  return ['EACCES', 'EPERM'].includes((error as NodeJS.ErrnoException).code ?? '');
}

function byNames(a: readonly string[], b: readonly string[]): number {
  const at = a.findIndex((name, i) => name !== b[i]);
  if (at < 0 || b[at] === undefined) return a.length - b.length;
  return a[at] < b[at] ? -1 : 1;
}
