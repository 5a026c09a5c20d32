/**
 * @file Settings of triplet training. Defaults suit a network fine-tuned on a desktop's CPU; the published values are in the comments
 * (Gordo et al. 2016; 2017 is its longer version). Recipes list only what differs, with the reason.
 */
import { z } from 'zod';
import { numberFrom, oneOf, wholeNumber } from '../../config.js';
import { largestImageSize } from '../../models/meta.js';
import { parseRegions, regionsSyntax } from '../../models/region-source.js';
import { classifyConfigSchema } from '../classify/classify-config.js';
import { finishKeys, finishSettings } from '../finish-config.js';
import { changeableTraining, trainingSettings, trueOrFalse } from '../training-config.js';
import { viewSettingsSchema } from '../views/view-settings.js';
import { samplings } from './sampler.js';

/** The settings of `rmac train triplet`: default, range and published value of each. */
export const tripletConfigSchema = z
  .strictObject({
    classify: classifyConfigSchema
      .omit({ seed: true, ...finishKeys })
      .optional()
      .describe(
        'Settings of a classification that is trained first, from whose model the ranking starts, as in Gordo et al. 2016; none = ranking alone. Its seed is that of the run.',
      ),
    ...trainingSettings({
      /** Gordo et al. 2016: about 2000. */
      steps: 64,
      /** Gordo et al. 2016: 1e-3, and no schedule is stated. */
      learningRate: 1e-3,
      learningRateDecay: 'constant',
      decayEvery: 64,
      checkpointEvery: 16,
      validateEvery: 16,
    }),
    loss: oneOf(['triplet', 'contrastive', 'average-precision'])
      .default('triplet')
      .describe(
        '`triplet` (Gordo et al. 2016, eq. 1), `contrastive` (Radenovic et al. 2018) on tuples of a mined query, or `average-precision` (Revaud et al. 2019) on random lists, without mining.',
      ),
    tripletsPerStep: wholeNumber(1)
      .default(16)
      .describe('Triplets, or tuples, whose gradient makes one update. Gordo et al. 2016: 64.'),
    lossReduction: oneOf(['mean', 'sum'])
      .default('mean')
      .describe(
        "What an update's terms (triplets, tuples, queries of a list) are summed up to: their `mean`, or the `sum` that accumulating their gradients one by one gives (Gordo et al. 2016 accumulate 64 triplets; Radenovic et al. 2018 theirs), which is the mean at a rate as many times higher. The logged loss is the mean.",
      ),
    imageSize: wholeNumber(16, largestImageSize)
      .default(320)
      .describe(
        "Longest side of an image, px; both sides are then snapped to multiples of the network's stride. Gordo et al. 2016: 724, 2017: 800.",
      ),
    poolSize: wholeNumber(3)
      .default(500)
      .describe(
        'Images described per mining; all of their triplets are considered. Gordo et al. 2016: 10 000, 2017: 5000.',
      ),
    remineEvery: wholeNumber(1).default(8).describe('Updates between two minings. Gordo et al. 2016: 16, 2017: 64.'),
    sampling: oneOf(samplings)
      .default('ijcv')
      .describe(
        "Which mined triplets are trained on: `ijcv` = a query uniformly, then one of its hardest; `eccv` = any with a probability proportional to its loss; `hardest` = every query's hardest, by falling loss; `random` = triplets of all training images, whatever their loss, without mining: what mining is compared with.",
      ),
    hardestPerQuery: wholeNumber(1)
      .default(25)
      .describe('Triplets with the largest loss kept per query. Gordo et al. 2017: 25.'),
    negativesPerTuple: wholeNumber(1)
      .default(5)
      .describe('Negatives of a tuple of `contrastive`, one per landmark and group. Radenovic et al.: 5.'),
    listSize: wholeNumber(4).default(128).describe('Images of a list of `average-precision`. Revaud et al.: 4096.'),
    photographsPerLandmark: wholeNumber(2)
      .default(4)
      .describe('Photographs of each landmark in a list of `average-precision`.'),
    bins: wholeNumber(2).default(20).describe('Bins of similarity of `average-precision`. Revaud et al.: 20.'),
    margin: numberFrom(0, { max: 4 })
      .default(0.1)
      .describe(
        'm: of `triplet` in squared distance between unit rows (0 to 4; Gordo et al. 2016: 0.1), of `contrastive` in distance (0 to 2; Radenovic et al. 2018: 0.7 to 0.85).',
      ),
    regions: z
      .string(`model, ${regionsSyntax}`)
      .refine((text) => text === 'model' || parseRegions(text) !== undefined, `model, ${regionsSyntax}`)
      .default('model')
      .describe(
        "What R-MAC pools, in training and in the models of the run: `model` = what the model says, `grid`, `rpn:K` = the K best proposals of the model's network of them with the weights as they are, or `grid+rpn:K`. Gordo et al. 2016: grid; 16 to 256 proposals after training.",
      ),
    rpnWeight: numberFrom(0)
      .default(0)
      .describe(
        "Weight of the loss of the model's network of proposals on the boxes of the update's images, beside the ranking's: both then train the trunk. 0 = proposals do not learn. Gordo et al. 2016: 0, since training both together was difficult and unstable.",
      ),
    freeze: z
      .string('the name of a stage, none or all')
      .min(1, 'the name of a stage, none or all')
      .default('none')
      .describe(
        'The last stage whose weights stay as they are (it and all before it), `none`, or `all` (only what follows the trunk learns).',
      ),
    augmentation: z
      .strictObject(
        {
          flip: trueOrFalse
            .default(false)
            .describe('Mirror every second image. Wrong where left and right matter (writing on products).'),
          colour: numberFrom(0, { max: 0.9 })
            .default(0)
            .describe('Brightness and each channel change by at most this factor, ±.'),
          crop: numberFrom(0, { max: 0.9 })
            .default(0)
            .describe('Zoom in by up to this share of the image and cut a window at a random place.'),
        },
        'lines of "key: value"',
      )
      .prefault({})
      .describe('Seeded changes of the training images; pools are described without any.'),
    views: viewSettingsSchema
      .optional()
      .describe(
        'Photographs generated from the images, beside these: for landmarks of which there is a single picture. None without this section.',
      ),
    positives: oneOf(['landmark', 'photograph'])
      .default('landmark')
      .describe(
        'What is to be near: the photographs of a `landmark` with what is generated of them, or a `photograph` and what is generated of it alone; others of its landmark are then no negatives, and a wrong label does no harm.',
      ),
    whitenDimension: wholeNumber(0)
      .default(0)
      .describe(
        "Dimension of a PCA whitening learned from the training set's regions at the start, if the model has no whitening. 0 = none.",
      ),
    recomputeActivations: trueOrFalse
      .default(false)
      .describe(
        'Backpropagate block by block, each run again (Chen et al. 2016): the same gradients to rounding in less memory, for one more forward pass per image. For large images.',
      ),
    ...finishSettings,
    cacheMegabytes: wholeNumber(0)
      .default(1000)
      .describe('Megabytes (10^6 bytes) for decoded images or, with frozen stages, their outputs.'),
  })
  .describe('Published values: Gordo et al., ECCV 2016, and Gordo et al. 2017, its longer version in IJCV.');

/** All settings of a training by ranking, resolved. */
export type TripletConfig = z.output<typeof tripletConfigSchema>;

/** Whether updates train on a mined pool. */
export function minesPools({ loss, sampling }: Pick<TripletConfig, 'loss' | 'sampling'>): boolean {
  return loss !== 'average-precision' && sampling !== 'random';
}

/** Images of one update, at most: those of different terms may be the same. */
export function imagesPerUpdate({
  loss,
  tripletsPerStep,
  negativesPerTuple,
  listSize,
}: Pick<TripletConfig, 'loss' | 'tripletsPerStep' | 'negativesPerTuple' | 'listSize'>): number {
  if (loss === 'average-precision') return listSize;
  return tripletsPerStep * (loss === 'contrastive' ? 2 + negativesPerTuple : 3);
}

/** Keys that may change when a run is resumed. */
export const changeableOnResume: readonly (keyof TripletConfig)[] = [...changeableTraining, 'cacheMegabytes'];
