/** @file The images of a benchmark's folder by name, whichever of the usual places they lie in. */
import { join } from 'node:path';
import { findImages } from '../../data/find-images.js';
import { InputError, messageOf } from '../../errors.js';
import { benchmarkId } from './benchmark.js';

/** Where the archives and the usual instructions put the images; the first that has some is taken, else the folder itself. */
const usualFolders = ['images', 'jpg', 'oxbuild_images', 'oxbuild_images-v1', 'paris', 'full', '.'];

/**
 * Paths by benchmark id, sorted by id; empty if the folder has no image.
 * @throws InputError if the folder cannot be read, or two files have one name (Paris keeps its images in subfolders).
 */
export async function benchmarkImages(folder: string): Promise<Map<string, string>> {
  const found = await findImages(folder).catch((error: unknown) => {
    throw new InputError(`Cannot read --data ${folder}: ${messageOf(error)}`);
  });
  const [unreadable] = found.unreadable;
  if (unreadable !== undefined) throw new InputError(`Cannot read ${unreadable.path}: ${unreadable.reason}`);
  const images = found.images.map(({ parts }) => parts.join('/')).toSorted();
  const place = usualFolders.find((each) => each === '.' || images.some((name) => name.startsWith(`${each}/`))) ?? '.';
  const byId = new Map<string, string>();
  for (const name of images) {
    if (place !== '.' && !name.startsWith(`${place}/`)) continue;
    const id = benchmarkId(name);
    const earlier = byId.get(id);
    const path = join(folder, name);
    if (earlier !== undefined) {
      throw new InputError(`${folder}: ${earlier} and ${path} have the same name "${id}"; keep one of them.`);
    }
    byId.set(id, path);
  }
  return new Map([...byId].toSorted(([a], [b]) => (a < b ? -1 : 1)));
}
