/**
 * @file A manifest that lies apart from its images. Manifests never name a path outside their own folder, so where the
 * images are elsewhere (a read-only data set, splits in a folder of their own), a symbolic link beside the manifest
 * leads to them: what `ln -s` would do by hand. Tools that read the manifest need to know nothing about it.
 */
import { realpathSync } from 'node:fs';
import { symlink } from 'node:fs/promises';
import { basename, join, relative, resolve } from 'node:path';
import { makeFolder } from './files.js';
import { InputError, messageOf } from '../errors.js';
import { pathInside } from './image-path.js';
import type { ImageRecord } from './manifest.js';

export interface LinkedRecords {
  records: ImageRecord[];
  /** The link that was made or found; undefined where the images lie in the folder anyway. */
  link?: { path: string; target: string };
}

/**
 * The records as a manifest in `folder` can name them. Where an image lies outside `folder`, links `imageRoot` (the
 * folder that holds all of them) into it under its own name and leads the paths through the link.
 * @throws InputError if the link cannot be made.
 */
export async function linkImages(
  folder: string,
  imageRoot: string,
  records: readonly ImageRecord[],
): Promise<LinkedRecords> {
  if (records.every(({ path }) => pathInside(folder, path) !== undefined)) return { records: [...records] };
  const target = realpathSync(imageRoot);
  const path = await makeLink(folder, target, basename(resolve(imageRoot)) || 'images');
  const linked = records.map((record) => ({ ...record, path: join(path, relative(imageRoot, record.path)) }));
  return { records: linked, link: { path, target } };
}

/** Finds or makes a link to `target` in `folder`, called `name`, or `name-2`, ... where that is taken. */
async function makeLink(folder: string, target: string, name: string): Promise<string> {
  await makeFolder(folder);
  for (let n = 1; n < 100; n++) {
    const path = join(folder, n === 1 ? name : `${name}-${n}`);
    try {
      await symlink(target, path, 'junction'); // the type matters on Windows only: a junction needs no special right
      return path;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') {
        throw new InputError(
          `Cannot link ${path} to the images in ${target}: ${messageOf(error)}. Write the manifest beside or above its images.`,
        );
      }
      if (leadsTo(path, target)) return path;
    }
  }
  throw new InputError(`${folder} has too many entries called ${name}; choose another folder.`);
}

function leadsTo(path: string, target: string): boolean {
  try {
    return realpathSync(path) === target;
  } catch {
    return false; // a dangling link
  }
}
