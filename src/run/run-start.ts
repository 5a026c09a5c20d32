/**
 * @file The files that a run started from, by name and checksum: `start.json` of its folder, written before the first checkpoint, so
 * that a run that was killed before it begins again from the same files or not at all.
 */
import { existsSync } from 'node:fs';
import { join, relative, resolve, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { writeFileAtomic } from '../data/files.js';
import { sha256OfFile } from '../data/sha256.js';
import { readText } from '../data/read-file.js';
import { InputError } from '../errors.js';
import type { RunFolder } from './run-folder.js';

/** The trunk that ships with the package: where training starts without `--init`. */
export const packageTrunk: string = fileURLToPath(new URL('../../checkpoints/rmac-small.safetensors', import.meta.url));

/** By the command's option. */
export interface StartFiles {
  init: string;
  classifier?: string;
}

/** `file` is relative to the run folder; none = the package's own trunk. */
const fileSchema = z.strictObject({ file: z.string().min(1).optional(), sha256: z.string().length(64) });
const startSchema = z.strictObject({ init: fileSchema, classifier: fileSchema.optional() });

/** Writes which files a run starts from. */
export async function writeStart(folder: RunFolder, { init, classifier }: StartFiles): Promise<void> {
  const entry = async (file: string) => ({
    ...(resolve(file) !== packageTrunk && { file: relative(folder.path, file).replaceAll(sep, '/') }),
    sha256: await sha256OfFile(file),
  });
  const start = { init: await entry(init), ...(classifier !== undefined && { classifier: await entry(classifier) }) };
  await writeFileAtomic(folder.start, `${JSON.stringify(start satisfies z.output<typeof startSchema>)}\n`, {
    overwrite: true,
  });
}

/**
 * The files that the run in `folder` started from, those in `given` in their place. Throws `InputError` naming the option where one
 * is missing, was changed, or is not known.
 */
export async function readStart(folder: RunFolder, given: Partial<StartFiles>): Promise<StartFiles> {
  if (!existsSync(folder.start)) {
    if (given.init !== undefined) return { ...given, init: given.init };
    throw new InputError(
      `${folder.path} has no checkpoint and does not say which model it began from; name it with --init FILE.`,
    );
  }
  const start = parseStart(await readText(folder.start), folder.start);
  const verified = async (option: keyof StartFiles): Promise<string | undefined> => {
    const entry = start[option];
    if (given[option] !== undefined || entry === undefined) return given[option];
    const file = entry.file === undefined ? packageTrunk : join(folder.path, entry.file);
    const problem = existsSync(file)
      ? (await sha256OfFile(file)) !== entry.sha256 && 'has changed since'
      : 'is missing';
    if (problem === false) return file;
    throw new InputError(
      `${folder.path} has no checkpoint yet and began from ${file} (sha256 ${entry.sha256.slice(0, 12)}...), which ${problem}; ` +
        `name the file to start from with --${option} FILE.`,
    );
  };
  const classifier = await verified('classifier');
  return { init: (await verified('init')) as string, ...(classifier !== undefined && { classifier }) };
}

function parseStart(text: string, source: string): z.output<typeof startSchema> {
  try {
    return startSchema.parse(JSON.parse(text));
  } catch {
    throw new InputError(`${source} is damaged; remove it and name the model to start from with --init FILE.`);
  }
}
