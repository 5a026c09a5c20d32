/** @file Draws the contact sheets of src/synthetic/README.md into src/synthetic/pictures: `npx tsx scripts/synthetic-pictures.ts`. */
import { mkdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';
import type { RgbImage } from '../src/data/rgb-image.js';
import { categoryNames, renderCategory } from '../src/synthetic/categories.js';
import { drawFacade } from '../src/synthetic/facade.js';
import { takePhotograph } from '../src/synthetic/photograph.js';
import { Random } from '../src/synthetic/random.js';
import { drawStyle, type PlanKind, planKinds } from '../src/synthetic/style.js';
import { renderWrongImage, wrongKinds } from '../src/synthetic/wrong-images.js';

const folder = fileURLToPath(new URL('../src/synthetic/pictures/', import.meta.url));
mkdirSync(folder, { recursive: true });

/** The pictures in rows of `columns`, each cut to a square of `side` px. */
async function writeSheet(name: string, images: RgbImage[], { columns, side }: { columns: number; side: number }) {
  const tiles = images.map(async ({ data, width, height }, i) => ({
    input: await sharp(data, { raw: { width, height, channels: 3 } })
      .resize(side, side)
      .png()
      .toBuffer(),
    left: (i % columns) * (side + 2),
    top: Math.floor(i / columns) * (side + 2),
  }));
  const [width, height] = [columns, Math.ceil(images.length / columns)].map((count) => count * (side + 2) - 2);
  await sharp({ create: { width, height, channels: 3, background: 'white' } })
    .composite(await Promise.all(tiles))
    .webp({ quality: 60, effort: 6 })
    .toFile(`${folder}${name}.webp`);
}

const facadeOf = (plan: PlanKind, seed: number) => drawFacade(drawStyle(plan, new Random(seed)), seed);

const plans = planKinds.map((plan, i) => takePhotograph(facadeOf(plan, i), new Random(i), 320, 0).image);
await writeSheet('plans', plans, { columns: 4, side: 150 });
const facade = facadeOf('tomb', 2);
const views = Array.from({ length: 12 }, (_, view) => takePhotograph(facade, new Random(view), 256).image);
await writeSheet('views', views, { columns: 6, side: 112 });
const wrong = wrongKinds.map((kind) => renderWrongImage(kind, new Random(3), 256));
await writeSheet('wrong', wrong, { columns: 6, side: 112 });
const categories = categoryNames.map((_, category) => renderCategory(category, 2));
await writeSheet('categories', categories, { columns: 13, side: 56 });
