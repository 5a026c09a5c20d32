/** @file Settings of the photographs that are generated from an image in training. */
import { z } from 'zod';
import { numberFrom, wholeNumber } from '../../config.js';

/** How far generated photographs may be from the image that they show; 0 turns a change off. */
export const viewSettingsSchema = z.strictObject(
  {
    perImage: wholeNumber(1)
      .default(8)
      .describe('Generated photographs of an image that a pool or an epoch has, beside the image as it is.'),
    turn: numberFrom(0, { max: 180 }).default(180).describe('Turned by at most this many degrees, either way.'),
    tilt: numberFrom(0, { max: 75 }).default(50).describe('Seen from at most this many degrees beside the front.'),
    smallest: numberFrom(0.1, { max: 2 })
      .default(0.5)
      .describe('Longer side of what is shown, at least, in shorter sides of the photograph.'),
    largest: numberFrom(0.1, { max: 2 })
      .default(1.4)
      .describe('The same, at most. Above 1 parts are outside of the photograph.'),
    shift: numberFrom(0, { max: 0.5 })
      .default(0.15)
      .describe('Its middle is at most this share of the sides beside the middle of the photograph.'),
    light: numberFrom(0, { max: 1 })
      .default(0.5)
      .describe('Exposure, contrast and shading across the photograph change by at most this share.'),
    warmth: numberFrom(0, { max: 1 })
      .default(0.3)
      .describe('Red and blue are multiplied by 1 ± up to this: lamps and shade.'),
    glare: numberFrom(0, { max: 1 })
      .default(0.6)
      .describe('Share of the photographs with reflections of lamps and a veil of light.'),
    blur: numberFrom(0, { max: 0.05 })
      .default(0.01)
      .describe('Standard deviation of the blur, at most, in longer sides of the photograph.'),
    noise: numberFrom(0, { max: 64 })
      .default(10)
      .describe('Standard deviation of the noise, at most, in levels of 255.'),
    jpeg: wholeNumber(1, 100).default(40).describe('Lowest quality of JPEG that it is stored with. 100 = as it is.'),
    trim: z
      .boolean('true or false')
      .default(true)
      .describe('Leave out the margin of one colour that pictures in catalogues have.'),
    pictures: numberFrom(0, { max: 1 })
      .default(0.5)
      .describe(
        'Share of the photographs with a part of another photograph behind; behind the others is a table or wall.',
      ),
    backgrounds: z
      .string('a folder')
      .min(1, 'a folder')
      .optional()
      .describe('Folder of the photographs behind. Default: those of the manifest.'),
  },
  'lines of "key: value"',
);

/** Settings of generated photographs, resolved. */
export type ViewSettings = z.output<typeof viewSettingsSchema>;
