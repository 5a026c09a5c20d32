/** @file Photographs of one landmark with the places that make them similar (similarity-map.ts), for TensorBoard and the report. */
import sharp from 'sharp';
import { decodeImage } from '../data/images.js';
import type { RgbImage } from '../data/rgb-image.js';
import { InputError } from '../errors.js';
import { heatOverlay } from './heat-overlay.js';
import type { ReportPicture } from './page.js';
import { type MappedModel, similarityMaps } from '../retrieval/similarity-map.js';

/** What the overlays say. */
export const placesText =
  "What makes the queries and the positives of these triplets similar: every region's share in the similarity, spread over where " +
  'its features come from; dark 0, yellow the largest of the photograph.';

/** Two photographs and their maps drawn over them. */
export interface SimilarPair {
  similarity: number;
  photographs: [RgbImage, RgbImage];
  overlays: [RgbImage, RgbImage];
}

/** Whether the places of this model can be shown: its regions must be those of the grid. */
export function showsPlaces({ meta }: Pick<MappedModel, 'meta'>): boolean {
  return meta.regions === undefined;
}

/** A pair of image files as the model sees them, sides snapped to its stride. Undefined where one cannot be read. */
export async function similarPair(
  model: MappedModel,
  paths: readonly [string, string],
  { imageSize }: { imageSize: number },
): Promise<SimilarPair | undefined> {
  const sizing = { longest: imageSize, multipleOf: model.stride };
  try {
    const [a, b] = [await decodeImage(paths[0], { sizing }), await decodeImage(paths[1], { sizing })];
    const { similarity, maps } = await similarityMaps(model, a, b);
    return { similarity, photographs: [a, b], overlays: [heatOverlay(a, maps[0]), heatOverlay(b, maps[1])] };
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    return undefined;
  }
}

/** The overlays of a pair for a page. */
export async function pairPictures(
  { similarity, overlays }: SimilarPair,
  captions: readonly [string, string],
): Promise<ReportPicture[]> {
  const pictures: ReportPicture[] = [];
  for (const [i, { data, width, height }] of overlays.entries()) {
    const jpeg = await sharp(data, { raw: { width, height, channels: 3 } })
      .resize(240, 240, { fit: 'inside' })
      .jpeg({ quality: 78 })
      .toBuffer();
    const caption = `${captions[i]}${i === 0 ? `, similarity ${similarity.toFixed(3)}` : ''}`;
    pictures.push({ image: `data:image/jpeg;base64,${jpeg.toString('base64')}`, caption });
  }
  return pictures;
}
