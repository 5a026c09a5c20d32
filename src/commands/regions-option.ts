/** @file `--regions`: what R-MAC pools, the model's grid or its proposals. */
import type { Command } from 'commander';
import type * as tf from '@tensorflow/tfjs-core';
import { InputError, messageOf, UsageError } from '../errors.js';
import type { DescriptorModel } from '../models/descriptor.js';
import { parseRegions, type RegionSource, regionsSyntax } from '../models/region-source.js';

/** Adds `--regions`. */
export function addRegionsOption(command: Command): Command {
  return command.option(
    '--regions <kind>',
    "what R-MAC pools: grid, rpn:K (at most K proposals of a model of train rpn) or grid+rpn:K (default: the model's own)",
    regionsOption,
  );
}

/** commander parser: "grid", "rpn:64", "grid+rpn:64". */
export function regionsOption(text: string): RegionSource {
  const regions = parseRegions(text);
  if (regions === undefined) throw new UsageError(`--regions: expected ${regionsSyntax}, got "${text}".`);
  return regions;
}

/** Describes whole images, and their regions before whitening. */
export interface RegionDescriber {
  dimension: number;
  describe: (images: tf.Tensor4D) => tf.Tensor2D;
  regionDescriptors: (images: tf.Tensor4D) => tf.Tensor3D;
  dispose: () => void;
}

/** What describes images by these regions, or by the model's own. The caller disposes of it and of the model. */
export async function describerFor(
  model: DescriptorModel,
  file: string,
  regions: RegionSource | undefined = model.meta.regions,
): Promise<RegionDescriber> {
  if (regions === undefined || regions.proposals === 0) {
    return {
      dimension: model.dimension,
      describe: (images) => model.describe(images),
      regionDescriptors: (images) => model.regionDescriptors(images),
      dispose: () => {},
    };
  }
  const { ProposalDescriber } = await import('../rpn/proposal-describer.js');
  try {
    return new ProposalDescriber(model, regions);
  } catch (error) {
    throw error instanceof InputError ? new InputError(`${file}: ${messageOf(error)}`) : error;
  }
}
