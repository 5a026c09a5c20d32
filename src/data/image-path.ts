/**
 * @file Where a file that lists photographs may have them: in its own folder, or in one that whoever runs the program names. The file may
 * come from someone else, so absolute paths and those that lead out are refused, as text. A symbolic link inside may lead anywhere, since
 * its owner made it.
 */
import { isAbsolute, join, relative, resolve, sep } from 'node:path';
import { InputError } from '../errors.js';
import { slashedPath } from './slashed-path.js';

export interface ImagePathOptions {
  /** Folder that images may lie in besides that of the file which names them. Default: none. */
  imageRoot?: string | undefined;
}

/**
 * The path of an image that a file in `folder` names, resolved against it. @throws InputError that begins with `where`: an absolute path,
 * or one out of both folders.
 */
export function listedImagePath(
  path: string,
  { where, folder, imageRoot }: ImagePathOptions & { where: string; folder: string },
): string {
  // a drive letter or a backslash is absolute or a separator on Windows, whatever this machine is
  if (isAbsolute(path) || /^[a-z]:/i.test(path) || path.startsWith('\\')) {
    throw new InputError(`${where}: the image path "${path}" must be relative to the file's folder.`);
  }
  const resolved = join(folder, slashedPath(path, folder));
  const roots = [folder, ...(imageRoot === undefined ? [] : [imageRoot])];
  if (roots.some((root) => pathInside(root, resolved) !== undefined)) return resolved;
  const out =
    imageRoot === undefined
      ? "the file's folder; move the file above its images, or name a folder above both with --image-root (evaluate, compare, train, report)"
      : `the file's folder and of --image-root ${imageRoot}`;
  throw new InputError(`${where}: the image path "${path}" leads out of ${out}.`);
}

/** `path` relative to `folder` with `/`, or undefined where it lies outside; as text, links are not followed. */
export function pathInside(folder: string, path: string): string | undefined {
  const inside = relative(resolve(folder), resolve(path));
  if (inside === '' || isAbsolute(inside) || inside === '..' || inside.startsWith(`..${sep}`)) return undefined;
  return inside.split(sep).join('/');
}
