/** @file What one of our layers is called in published weights. */
import type { ParameterKind } from './architecture.js';

/** A tensor that is not called by its layer and a suffix. */
export interface SourceTensor {
  name: string;
  /** Axes of one element before and behind ours, which the published tensor has. */
  ones?: readonly [before: number, behind: number];
}

/** What one of our layers is called elsewhere. A layer without the part has no name for it. */
export interface SourceLayer {
  conv?: string;
  norm?: string;
  /** What the convolution calls its kernel, where that is not the framework's usual name. */
  kernel?: string;
  /** Whole names, in place of a part's. */
  tensors?: Partial<Record<ParameterKind, SourceTensor>>;
}

/** Our layer -> its names in the variants of one framework (old and new releases name layers differently). */
export type LayerNames = (layer: string) => readonly SourceLayer[];
