/** @file Benchmarks from where they are published, or photographs from a list of links, into a folder. */
import { type DownloadedData, downloadData } from '../data/download-data.js';
import { type DownloadedLinks, downloadLinks } from '../data/download-links.js';
import { readLinkList } from '../data/link-list.js';
import { publishedDataNamed } from '../data/published-data.js';
import { InputError } from '../errors.js';
import { silentView, type StageContext } from './context.js';
import { lateProgress } from './late-progress.js';

/** Which benchmark, from where and where to. */
export interface DownloadBenchmarkOptions {
  /** One of `publishedData`. */
  name: string;
  out: string;
  /** Folder or http address that has the published files, in place of their own addresses. */
  from?: string;
  /** Files at once. Default 3. */
  parallel?: number;
  /** A download.json whose sha256 these files must have. */
  checksums?: string;
  /** Keep archives that were unpacked. */
  keepArchives?: boolean;
}

/** What was fetched of a benchmark. */
export interface DownloadedBenchmark extends DownloadedData {
  name: string;
  out: string;
  licence: string;
  page: string;
}

/** The same call continues after any end. @throws InputError naming the file or address and the way out. */
export async function downloadBenchmark(
  { name, out, ...options }: DownloadBenchmarkOptions,
  { signal, view = silentView }: StageContext = {},
): Promise<DownloadedBenchmark> {
  const data = publishedDataNamed(name);
  view.note(`${data.title}, about ${data.size}: ${data.page}`);
  view.note(`Licence: ${data.licence}.`);
  const megabytes = (bytes: number) => Math.round(bytes / 1e6);
  const progress = lateProgress(view, 'MB');
  const unpacking = new Map<string, number>();
  const { files } = await downloadData(data, out, {
    ...options,
    signal,
    onBytes(done, total) {
      if (megabytes(total) > 0) progress.update(megabytes(done), megabytes(total));
    },
    onUnpacked(archive, count) {
      if (count - (unpacking.get(archive) ?? 0) < 1000 && unpacking.has(archive)) return;
      unpacking.set(archive, count);
      view.note(`unpacking ${archive}: ${count} files`);
    },
  }).finally(progress.stop);
  return { name: data.name, out, licence: data.licence, page: data.page, files };
}

/** Which list of links, and where to. */
export interface DownloadLandmarksOptions {
  /** List of links, or folder of LANDMARK.txt. */
  list: string;
  out: string;
  /** Connections at once. Default 8, two to a server. */
  parallel?: number;
  /** Ask again for links that were broken in an earlier run. */
  retryBroken?: boolean;
}

/** What was fetched of a list of links. */
export interface DownloadedLandmarks extends DownloadedLinks {
  out: string;
  /** Links of the list. */
  links: number;
}

/** Continues as the benchmarks do; a broken link is an outcome. @throws InputError where no link gave a photograph. */
export async function downloadLandmarks(
  { list, out, ...options }: DownloadLandmarksOptions,
  { signal, view = silentView }: StageContext = {},
): Promise<DownloadedLandmarks> {
  const links = await readLinkList(list);
  const listed = new Set(links.map(({ landmark }) => landmark)).size;
  view.note(
    `${links.length} links of ${listed} landmarks. The photographs belong to their owners: their licences hold.`,
  );
  const progress = lateProgress(view, 'links');
  const result = await downloadLinks(links, out, {
    ...options,
    signal,
    onProgress: (done) => progress.update(done, links.length),
  }).finally(progress.stop);
  for (const { error } of result.broken.slice(0, 10)) view.note(`broken: ${error}`);
  if (result.downloaded === 0) throw new InputError(`None of the ${links.length} links of ${list} gave a photograph.`);
  return { out, links: links.length, ...result };
}
