/** @file Generated landmark photographs, where what they show is known. */
import { synthesizeLandmarks, type SynthesizeSummary } from '../synthetic/dataset.js';
import { checkSynthesizeOptions, type SynthesizeOptions } from '../synthetic/dataset-plan.js';
import { silentView, type StageContext } from './context.js';

/** What is generated, and where to. */
export interface SynthesizeStageOptions extends SynthesizeOptions {
  /** Folder to create. */
  out: string;
  /** Replace a collection that is there already. */
  overwrite?: boolean;
}

/** @throws UsageError for an option out of range; InputError if `out` is taken, cannot be written, or on the signal. */
export async function synthesize(
  { out, overwrite = false, ...options }: SynthesizeStageOptions,
  { signal, view = silentView }: StageContext = {},
): Promise<SynthesizeSummary> {
  const { landmarks, photos } = checkSynthesizeOptions(options);
  const progress = view.progress('Photographs', landmarks * photos);
  const onProgress = (done: number) => progress.update(done);
  return synthesizeLandmarks(out, options, { overwrite, signal, onProgress }).finally(() => progress.stop());
}
