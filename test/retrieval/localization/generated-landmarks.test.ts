/** @file AML on pictures: a generated landmark is found among three others, by the trunk of checkpoints/. */
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { toTensor } from '../../../src/data/images.js';
import type { RgbImage } from '../../../src/data/rgb-image.js';
import { loadModel } from '../../../src/data/model-file.js';
import { drawFacade } from '../../../src/synthetic/facade.js';
import { takePhotograph } from '../../../src/synthetic/photograph.js';
import { Random } from '../../../src/synthetic/random.js';
import { drawStyle, type PlanKind } from '../../../src/synthetic/style.js';
import { compactMap, integralOfLevels } from '../../../src/retrieval/localization/compact-map.js';
import { MapDescriber } from '../../../src/retrieval/localization/describe-maps.js';
import { localize } from '../../../src/retrieval/localization/localize.js';
import { rowOverlap } from '../../../src/rpn/box-rows.js';
import { poolRegions } from '../../../src/rpn/pool-regions.js';
import '../../support/engine.js';

const side = 160;
const margin = 32;
const cell = side + 2 * margin;
const plans: PlanKind[] = ['palace', 'cathedral', 'tower', 'pyramid'];

/** The image in less light. */
function darker(image: RgbImage): RgbImage {
  return { ...image, data: image.data.map((value) => 0.8 * value) };
}

/** The images in the quadrants of a grey one, each with a margin. */
function mosaic(images: readonly RgbImage[]): RgbImage {
  const data = new Uint8Array(4 * cell * cell * 3).fill(128);
  for (const [n, image] of images.entries()) {
    for (let y = 0; y < image.height; y++) {
      const row = image.data.subarray(y * image.width * 3, (y + 1) * image.width * 3);
      data.set(row, ((y + margin + cell * (n >> 1)) * 2 * cell + margin + cell * (n & 1)) * 3);
    }
  }
  return { data, width: 2 * cell, height: 2 * cell };
}

test('the box that AML finds overlaps the landmark, among three other landmarks', async () => {
  const root = new Random(11);
  const views = plans.map((plan, n) => {
    const facade = drawFacade(drawStyle(plan, root.fork('style', n)), root.fork(plan).seed, 512);
    return takePhotograph(facade, root.fork('photograph', n), side, 0.4);
  });
  const model = await loadModel(join(import.meta.dirname, '../../../checkpoints/rmac-small.safetensors'));
  const describer = new MapDescriber(model);
  const describe = (image: RgbImage) => {
    const pixels = toTensor(image);
    describer.describe(pixels).dispose();
    pixels.dispose();
    return describer.last!;
  };
  const scene = integralOfLevels(compactMap(describe(mosaic(views.map(({ image }) => image))).map), {
    read: 'centres',
  });
  const overlaps = views.map(({ image, box }, n) => {
    // the landmark alone, by the cells of its box: at the edges of a crop the padding of the trunk would be part of the query
    const { map } = describe(darker(mosaic([image])));
    const place = (corner: number) => Math.round((corner + margin) / model.stride);
    const own = {
      yMin: place(box.y),
      xMin: place(box.x),
      yMax: place(box.y + box.height),
      xMax: place(box.x + box.width),
    };
    const maxima = poolRegions(map.values, map, [own]);
    const { region } = localize(scene, { maxima, aspect: box.height / box.width });
    const found = [region.yMin, region.xMin, region.yMax, region.xMax].map((cells) => cells * model.stride);
    const [y, x] = [box.y + margin + cell * (n >> 1), box.x + margin + cell * (n & 1)];
    return rowOverlap(found, 0, [y, x, y + box.height, x + box.width], 0);
  });
  model.dispose();
  // the whole mosaic overlaps a landmark by a tenth to an eighth
  for (const overlap of overlaps) expect(overlap).toBeGreaterThan(0.3);
  expect(overlaps.reduce((sum, overlap) => sum + overlap) / 4).toBeGreaterThan(0.6);
});
