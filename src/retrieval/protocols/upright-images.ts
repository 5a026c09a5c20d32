/**
 * @file Holidays has photographs that lie on their side; some papers measure on images turned by hand and mark it
 * ("rotated"). What to turn comes as a list, or as a folder with the turned images under the same names.
 */
import { stat } from 'node:fs/promises';
import { type QuarterTurn, quarterTurns } from '../../data/rgb-image.js';
import { readText } from '../../data/read-file.js';
import { InputError, messageOf } from '../../errors.js';
import { firstFew } from '../ground-truth.js';
import { benchmarkId } from './benchmark.js';
import { benchmarkImages } from './benchmark-images.js';

export interface UprightImages {
  turns: ReadonlyMap<string, QuarterTurn>;
  /** Images that take the place of those with the same id. */
  paths: ReadonlyMap<string, string>;
}

/**
 * Reads a list, one "100001.jpg 90" a line: degrees clockwise, a multiple of 90, separated by blanks or a comma; or a
 * folder of upright images. @throws InputError naming `file:line`, or for names that `ids` does not have.
 */
export async function readUprightImages(source: string, ids: ReadonlySet<string>): Promise<UprightImages> {
  let isFolder: boolean;
  let text = '';
  try {
    isFolder = (await stat(source)).isDirectory();
    if (!isFolder) text = await readText(source);
  } catch (error) {
    throw new InputError(`Cannot read --upright ${source}: ${messageOf(error)}`);
  }
  const paths = isFolder ? await benchmarkImages(source) : new Map<string, string>();
  const turns = isFolder ? new Map<string, QuarterTurn>() : parseTurns(text, source);
  const unknown = [...paths.keys(), ...turns.keys()].filter((id) => !ids.has(id));
  if (unknown.length > 0) {
    throw new InputError(`${source}: ${unknown.length} images are not in the benchmark (${firstFew(unknown)}).`);
  }
  return { turns, paths };
}

function parseTurns(text: string, source: string): Map<string, QuarterTurn> {
  const turns = new Map<string, QuarterTurn>();
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    if (line.trim() === '' || line.startsWith('#')) continue;
    const [name, degrees, ...rest] = line.trim().split(/[\s,]+/);
    const turn = ((Number(degrees) % 360) + 360) % 360;
    const known = quarterTurns.find((each) => each === turn);
    if (rest.length > 0 || (known === undefined && turn !== 0)) {
      throw new InputError(
        `${source}:${index + 1}: expected an image and degrees such as "100001.jpg 90", got "${line}".`,
      );
    }
    const id = benchmarkId(name);
    if (turns.has(id)) throw new InputError(`${source}:${index + 1}: "${id}" is listed twice.`);
    if (known !== undefined) turns.set(id, known);
  }
  return turns;
}
