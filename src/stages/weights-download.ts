/** @file Published weights from where they lie, or a mirror. */
import { basename } from 'node:path';
import { downloadFile } from '../data/download.js';
import { publishedWeightsNamed } from '../data/published-weights.js';
import { InputError, UsageError } from '../errors.js';
import { silentView, type StageContext } from './context.js';
import { lateProgress } from './late-progress.js';

/** Which published weights, from where and where to. */
export interface WeightsDownloadOptions {
  /** One of `publishedWeights`. */
  name: string;
  /** File to write. Default: the name it is published under, in the current folder. */
  out?: string;
  /** Address of a mirror. */
  from?: string;
  /** Replace an existing file. */
  overwrite?: boolean;
}

/** The file that was fetched. */
export interface WeightsDownloadReport {
  file: string;
  name: string;
  url: string;
  /** For `importModel`. */
  architecture: string;
  bytes: number;
  /** Against the published checksum. */
  verified: boolean;
  sha256: string;
  licence: string;
}

/** The same call continues after any end. @throws InputError naming the address and the way out. */
export async function downloadWeights(
  options: WeightsDownloadOptions,
  { signal, view = silentView }: StageContext = {},
): Promise<WeightsDownloadReport> {
  const { name, from, out, overwrite } = options;
  const { architecture, url: published, manual, checksum, licence } = publishedWeightsNamed(name);
  const url = from ?? published;
  if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol)) {
    throw new UsageError(`--from: an http address expected, got "${url}".`);
  }
  if (manual && from === undefined) {
    throw new InputError(
      `${name} lies where only a browser can fetch it: open ${published}, then rmac weights import FILE --arch ${architecture}.`,
    );
  }
  const file = out ?? basename(new URL(manual ? url : published).pathname);
  view.note(`Licence: ${licence}.`);
  const megabytes = (bytes: number) => Math.round(bytes / 1e6);
  const progress = lateProgress(view, 'MB');
  const { bytes, verified, sha256 } = await downloadFile(url, file, {
    overwrite,
    checksum,
    hint: from === undefined ? 'A copy at another address is taken with --from URL.' : undefined,
    signal,
    onProgress: (done, total = 0) => progress.update(megabytes(done), megabytes(total)),
  }).finally(progress.stop);
  return { file, name, url, architecture, bytes, verified, sha256, licence };
}
