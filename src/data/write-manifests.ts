/** @file Manifests that are exchanged together, with a link to photographs that lie elsewhere. */
import { dirname } from 'node:path';
import { assertWritable, writeFileSet } from './files.js';
import { withFolderLock } from './folder-lock.js';
import { linkImages } from './image-link.js';
import { type ImageRecord, manifestText } from './manifest.js';

export interface ImageLink {
  path: string;
  target: string;
}

/**
 * Writes manifests of one folder, the last of them last. Where the images under `root` are outside of it, a link to them
 * comes first and is returned. @throws InputError where a file is there already and `overwrite` is not set.
 */
export async function writeManifests(
  outputs: readonly { file: string; records: ImageRecord[] }[],
  root: string,
  options: { overwrite?: boolean },
): Promise<ImageLink | undefined> {
  for (const { file } of outputs) assertWritable(file, options);
  let link: ImageLink | undefined;
  await withFolderLock(dirname(outputs[0].file), async () => {
    const files: [string, string][] = [];
    for (const { file, records } of outputs) {
      const linked = await linkImages(dirname(file), root, records);
      link ??= linked.link;
      files.push([file, manifestText(file, linked.records)]);
    }
    await writeFileSet(files, options);
  });
  return link;
}
