/**
 * @file Lists of addresses of landmark photographs, as such data sets are published since the photographs are not theirs to
 * give: a folder of LANDMARK.txt with an address a line; a text file with landmark and address a line, in either order; or
 * a table with a header that has the columns url and landmark (or landmark_id), such as the Google Landmarks train.csv.
 */
import { createReadStream } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { InputError, messageOf } from '../errors.js';

export interface Link {
  landmark: string;
  url: string;
}

/**
 * The distinct links of a list, in order. @throws InputError naming `file:line`: no web address, no landmark, or a landmark
 * that is no name of a folder.
 */
export async function readLinkList(source: string): Promise<Link[]> {
  const links = new Map<string, Link>();
  const add = (link: Link) => links.set(`${link.landmark}\n${link.url}`, link);
  try {
    if ((await stat(source)).isDirectory()) {
      for (const name of (await readdir(source)).filter((each) => each.endsWith('.txt')).toSorted()) {
        const landmark = checkedLandmark(name.slice(0, -'.txt'.length), source);
        for await (const { line, where } of linesOf(join(source, name))) {
          const url = line.split(/\s+/).find(isAddress);
          if (url === undefined) throw new InputError(`${where}: expected a web address, got "${line.slice(0, 80)}".`);
          add({ landmark, url });
        }
      }
    } else {
      let columns: { url: number; landmark: number } | undefined;
      for await (const { line, where, first } of linesOf(source)) {
        if (first) columns = headerOf(line);
        if (first && columns !== undefined) continue;
        add(columns === undefined ? parsePair(line, where) : parseRow(line, columns, where));
      }
    }
  } catch (error) {
    if (error instanceof InputError) throw error;
    throw new InputError(`Cannot read --list ${source}: ${messageOf(error)}`);
  }
  if (links.size === 0) throw new InputError(`${source} lists no links; expected lines "landmark address".`);
  return [...links.values()];
}

async function* linesOf(file: string): AsyncGenerator<{ line: string; where: string; first: boolean }> {
  let number = 0;
  for await (const text of createInterface({
    input: createReadStream(file, 'utf8'),
    crlfDelay: Number.POSITIVE_INFINITY,
  })) {
    number++;
    const line = text.replace(/^\uFEFF/, '').trim();
    if (line !== '' && !line.startsWith('#')) yield { line, where: `${file}:${number}`, first: number === 1 };
  }
}

function splitCells(line: string): string[] {
  return line.split(/[\t,]/).map((cell) => cell.trim().replace(/^"(.*)"$/, '$1'));
}

function headerOf(line: string): { url: number; landmark: number } | undefined {
  const names = splitCells(line).map((name) => name.toLowerCase());
  const [url, landmark] = [
    names.indexOf('url'),
    names.findIndex((name) => name === 'landmark' || name === 'landmark_id'),
  ];
  return url >= 0 && landmark >= 0 ? { url, landmark } : undefined;
}

function parseRow(line: string, columns: { url: number; landmark: number }, where: string): Link {
  const cells = splitCells(line);
  const url = cells[columns.url] ?? '';
  if (!isAddress(url)) throw new InputError(`${where}: expected a web address, got "${url.slice(0, 80)}".`);
  return { landmark: checkedLandmark(cells[columns.landmark] ?? '', where), url };
}

/** "tajmahal http://..." or "http://... tajmahal"; a landmark of several words is fine with a tab between. */
function parsePair(line: string, where: string): Link {
  const cells = line.includes('\t') ? line.split('\t').map((cell) => cell.trim()) : line.split(/\s+/);
  const at = cells.findIndex(isAddress);
  const landmark = cells.filter((_, i) => i !== at).join(' ');
  if (at < 0) throw new InputError(`${where}: expected "landmark address", got "${line.slice(0, 80)}".`);
  return { landmark: checkedLandmark(landmark, where), url: cells[at] };
}

function isAddress(text: string): boolean {
  return /^https?:\/\//i.test(text) && URL.canParse(text);
}

/** Landmarks become folders. */
function checkedLandmark(landmark: string, where: string): string {
  // oxlint-disable-next-line no-control-regex
  const odd = /[\u0000-\u001f\u007f/\\:]/.test(landmark) || landmark.startsWith('.');
  if (landmark === '' || landmark.length > 200 || odd) {
    throw new InputError(
      `${where}: the landmark ${JSON.stringify(landmark.slice(0, 80))} cannot be the name of a folder.`,
    );
  }
  return landmark;
}
