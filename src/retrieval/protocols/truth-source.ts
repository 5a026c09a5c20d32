/** @file What is measured on: the protocol, a benchmark's folder, a manifest or a ground-truth file. */
import type { ImagePathOptions } from '../../data/image-path.js';
import { UsageError } from '../../errors.js';
import { type BenchmarkProtocol, benchmarkProtocols } from './benchmark.js';

export const protocols = ['labels', 'groundtruth', ...benchmarkProtocols] as const;
export type Protocol = (typeof protocols)[number];

/** Where the truth is. */
export interface TruthSource extends ImagePathOptions {
  /** Which queries, which positives (docs/protocols.md). */
  protocol: Protocol;
  /** A benchmark's folder: its images and its ground truth. */
  data?: string;
  /** Manifest, for `labels`. */
  manifest?: string;
  /** JSON file, for `groundtruth`; or the ground truth of a benchmark that lies apart from `data`. */
  groundtruth?: string;
  /** Holidays: list of turns, or folder of upright images. */
  upright?: string;
}

/** Whether the protocol is of a published benchmark, whose files have its own layout and ids. */
export function isPublished(protocol: Protocol): protocol is BenchmarkProtocol {
  return protocol !== 'labels' && protocol !== 'groundtruth';
}

/** @throws UsageError where the parts do not fit together; `images`: whether images will be described. */
export function checkTruthSource(source: TruthSource, images: boolean): void {
  const { protocol, data, manifest, groundtruth, upright, imageRoot } = source;
  if (isPublished(protocol)) {
    if (manifest !== undefined) {
      throw new UsageError(`--protocol ${protocol} takes --data or --groundtruth, no manifest.`);
    }
    if (imageRoot !== undefined) {
      throw new UsageError('--image-root is for --protocol labels and groundtruth, whose files name their images.');
    }
    if (images && data === undefined) throw new UsageError(`--protocol ${protocol} with images needs --data DIR.`);
    return;
  }
  const [needed, file, other] =
    protocol === 'labels'
      ? (['manifest', manifest, groundtruth] as const)
      : (['groundtruth', groundtruth, manifest] as const);
  if (file === undefined) throw new UsageError(`--protocol ${protocol} needs --${needed} FILE.`);
  if (other !== undefined || data !== undefined) throw new UsageError(`--protocol ${protocol} takes --${needed} only.`);
  if (upright !== undefined) throw new UsageError('--upright is for Holidays.');
}

/** The file or folder that says what is right. */
export function truthPath({ manifest, groundtruth, data }: TruthSource): string {
  return manifest ?? groundtruth ?? data ?? '';
}
