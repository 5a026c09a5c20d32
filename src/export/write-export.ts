/** @file The files of an export and the manifest that names them, written all together. */
import { join } from 'node:path';
import { assertWritable, FileSet, type WriteOptions } from '../data/files.js';
import { withFolderLock } from '../data/folder-lock.js';
import { type ExportedFile, type ExportManifest, inputName, manifestName, outputName } from './manifest.js';

/** What the manifest says besides its files. */
export type ExportHead = Pick<ExportManifest, 'format' | 'resize' | 'precision' | 'model'> & { dimension: number };

/** Writes what `add` adds and the manifest into `folder`. @throws InputError where there is an export already. */
export async function writeExport(
  folder: string,
  { format, dimension, resize, precision, model }: ExportHead,
  options: WriteOptions,
  add: (set: FileSet) => Promise<ExportedFile[]>,
): Promise<ExportManifest> {
  const manifestPath = join(folder, manifestName);
  assertWritable(manifestPath, options);
  return withFolderLock(folder, async () => {
    const set = new FileSet(options);
    try {
      const files = await add(set);
      const manifest: ExportManifest = {
        format,
        input: { name: inputName, layout: '[1, height, width, 3]', type: 'float32', values: 'RGB 0-255' },
        output: { name: outputName, layout: '[1, dimension]', type: 'float32', dimension },
        ...(resize && { resize }),
        precision,
        files,
        model,
      };
      await set.add(manifestPath, `${JSON.stringify(manifest, null, 2)}\n`);
      await set.commit();
      return manifest;
    } finally {
      await set.discard();
    }
  });
}
