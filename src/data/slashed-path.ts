import { existsSync } from 'node:fs';
import { resolve, sep } from 'node:path';

/**
 * A path that a file in `folder` names, with `/` between folders. Programs on Windows write `\`, which elsewhere may be part
 * of a name: it is one where there is a file of that name.
 */
export function slashedPath(path: string, folder: string): string {
  if (sep === '\\' || !path.includes('\\') || existsSync(resolve(folder, path))) return path;
  return path.replaceAll('\\', '/');
}
