/** @file The settings of the demo's training, made to fit a network. */
import { resolveConfig } from '../config.js';
import type { Trunk } from '../models/architecture.js';
import { type TripletConfig, tripletConfigSchema } from '../train/ranking/triplet-config.js';

/** 4:3 and 3:4, as most cameras take them, in whole cells of the feature map. */
export function sizesOf({ stride }: Trunk, { imageSize }: TripletConfig) {
  const short = Math.max(1, Math.round((imageSize * 3) / 4 / stride)) * stride;
  return [
    { width: imageSize, height: short },
    { width: short, height: imageSize },
  ];
}

/** The recipe for this network, made to fit it. */
export async function configOf(
  { architecture, stages: names }: Trunk,
  { seed, set = [] }: { seed: number; set?: readonly string[] | undefined },
): Promise<{ recipe: string; config: TripletConfig }> {
  const recipe = architecture === 'rmac-small' ? 'demo' : 'small-classify-triplet';
  const config = await resolveConfig(tripletConfigSchema, {
    recipe,
    set: [`seed=${seed}`, 'regions=grid', ...set],
  });
  for (const part of [config, ...(config.classify ? [config.classify] : [])]) {
    // Recipes name a stage of the network they were found with; of another one, the first half stays as it is.
    if (!['none', 'all', ...names].includes(part.freeze)) part.freeze = names[Math.floor(names.length / 2)];
  }
  return { recipe, config };
}
