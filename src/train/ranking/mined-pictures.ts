/** @file The hardest triplets of a mining as a picture, and the places that make query and positive similar as another. */
import type { ImageRecord } from '../../data/manifest.js';
import type { RgbImage } from '../../data/rgb-image.js';
import { contactSheet } from '../../report/contact-sheet.js';
import { showsPlaces, similarPair } from '../../report/similarity-pictures.js';
import type { MappedModel } from '../../retrieval/similarity-map.js';
import type { TaggedPicture } from '../../run/observe-run.js';
import type { MiningSummary } from '../../run/run-records.js';

/** Of the hardest triplets of a mining, how many show what makes query and positive similar. */
const shownPairs = 2;

export async function minedPictures(
  { hardest }: Pick<MiningSummary, 'hardest'>,
  { model, images, imageSize }: { model: MappedModel; images: ReadonlyMap<string, ImageRecord>; imageSize: number },
): Promise<TaggedPicture[]> {
  if (hardest.length === 0) return [];
  const rows = hardest.map(({ query, positive, negative }) =>
    [query, positive, negative].map((id) => (images.get(id) as ImageRecord).path),
  );
  const pictures = [{ tag: 'mining/hardest', picture: await contactSheet(rows, ['query', 'positive', 'negative']) }];
  if (!showsPlaces(model)) return pictures;
  const pairs: RgbImage[][] = [];
  for (const [query, positive] of rows.slice(0, shownPairs)) {
    const pair = await similarPair(model, [query, positive], { imageSize });
    if (pair === undefined) continue;
    const {
      photographs: [a, b],
      overlays,
    } = pair;
    pairs.push([a, overlays[0], overlays[1], b]);
  }
  const columns = ['query', 'query', 'positive', 'positive'] as const;
  return [...pictures, { tag: 'mining/places', picture: await contactSheet(pairs, columns) }];
}
