/** @file A benchmark from its own files: which file or folder each protocol wants, and where it looks for it. */
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { uprightSize } from '../../data/upright-size.js';
import { InputError, UsageError } from '../../errors.js';
import type { Query } from '../ground-truth.js';
import type { Benchmark, BenchmarkProtocol } from './benchmark.js';
import { benchmarkImages } from './benchmark-images.js';
import { readGndFile } from './gnd-file.js';
import { openHolidays } from './holidays.js';
import { openOxford } from './oxford.js';
import { openGnd } from './revisited.js';
import { openUkbench } from './ukbench.js';
import { readUprightImages } from './upright-images.js';

export interface BenchmarkSource {
  /** The benchmark's folder: images, and the ground truth where it has one. */
  data?: string;
  /** The ground truth, where it lies elsewhere: a folder of *_query.txt, or a gnd_* file. */
  groundtruth?: string;
  /** Holidays: a list of turns, or a folder of upright images. */
  upright?: string;
  /** What is known of the database without images: benchmark ids of descriptors or rankings. */
  ids?: readonly string[];
}

/** @throws InputError or UsageError that says what is missing. */
export async function openBenchmark(protocol: BenchmarkProtocol, source: BenchmarkSource): Promise<Benchmark> {
  const { data, groundtruth, upright, ids } = source;
  const found = data === undefined ? undefined : await benchmarkImages(data);
  const images = found === undefined || found.size === 0 ? undefined : found;
  if (upright !== undefined && !protocol.startsWith('holidays')) {
    throw new UsageError(`--upright is for Holidays; ${protocol} is measured as it is.`);
  }
  if (protocol.startsWith('holidays') || protocol.startsWith('ukbench')) {
    const names = images === undefined ? ids : [...images.keys()];
    if (groundtruth !== undefined)
      throw new UsageError(`${protocol} has its ground truth in its names; drop --groundtruth.`);
    if (names === undefined || names.length === 0)
      throw new InputError(`${data ?? protocol} has no images; --data DIR is the folder of ${protocol}.`);
    const where = images === undefined ? 'the descriptors' : (data ?? '');
    if (protocol === 'ukbench' || protocol === 'ukbench-2550')
      return openUkbench(protocol, { ids: names, images }, where);
    const turned = upright === undefined ? undefined : await readUprightImages(upright, new Set(names));
    return openHolidays(protocol as 'holidays' | 'holidays-991', { ids: names, images, upright: turned }, where);
  }
  const truth = groundtruth ?? data;
  if (truth === undefined) throw new UsageError(`--protocol ${protocol} needs --data DIR or --groundtruth.`);
  const gnd = await gndFileOf(truth, protocol);
  if (gnd !== undefined) return openGnd(protocol, await readGndFile(gnd), { file: gnd, images });
  if (protocol === 'oxford5k' || protocol === 'paris6k') return openOxford(protocol, { truth, images, ids });
  throw new InputError(`${truth} has no gnd_${protocol}.pkl, .mat or .json, the ground truth of ${protocol}.`);
}

/** The file itself, or gnd_PROTOCOL.* in the folder; undefined for a folder without it. */
async function gndFileOf(path: string, protocol: string): Promise<string | undefined> {
  if (await isFile(path)) return path;
  const extensions = ['pkl', 'mat', 'json'];
  for (const folder of [path, join(path, 'gt')]) {
    for (const extension of extensions) {
      const file = join(folder, `gnd_${protocol}.${extension}`);
      if (await isFile(file)) return file;
    }
  }
  return undefined;
}

async function isFile(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isFile();
  } catch {
    return false;
  }
}

/** Throws `InputError` for a query whose box lies outside of its image; one that reaches over the border is clipped. */
export async function checkQueryBoxes(queries: readonly Query[]): Promise<void> {
  for (const { id, image, box } of queries) {
    if (box === undefined) continue;
    const { width, height } = await uprightSize(image);
    if (box.x < width && box.y < height && box.x + box.width > 0 && box.y + box.height > 0) continue;
    const sides = [box.x, box.y, box.x + box.width, box.y + box.height].join(' ');
    throw new InputError(
      `Query "${id}": its box ${sides} (left top right bottom) is outside of ${image}, ${width}x${height} px.`,
    );
  }
}
