/** @file A small generated collection with a folder of trouble added, for tests of cleaning. */
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { sharp, withSvg } from '../../src/data/raster-loaders.js';
import { synthesizeLandmarks } from '../../src/synthetic/dataset.js';

export interface NoisyCollection {
  folder: string;
  manifest: string;
  truth: {
    id: string;
    landmark: string;
    wrong: boolean;
    box?: { x: number; y: number; width: number; height: number };
  }[];
}

/** Two landmarks of eight photographs, one wrong image in each. */
export async function smallCollection(folder: string): Promise<NoisyCollection> {
  await synthesizeLandmarks(folder, { landmarks: 2, photos: 8, noise: 0.13, variation: 0.4, size: 320, seed: 5 });
  const truth = readFileSync(join(folder, 'truth.jsonl'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as NoisyCollection['truth'][number]);
  return { folder, manifest: join(folder, 'manifest.jsonl'), truth };
}

const banner = Buffer.from(
  `<svg width="320" height="26"><rect width="320" height="26" fill="#123"/><text x="6" y="19" font-family="sans-serif" font-size="17" fill="#fff">www.grand-travel-photos.example 2019 (c)</text></svg>`,
);

/** Lays one strip of text along the bottom of an image file; made of shapes too, so that it has corners without any font. */
export async function addBanner(from: string, to: string): Promise<void> {
  const { width, height } = await sharp(from).metadata();
  const strip = await withSvg(() =>
    sharp(banner).resize(width, 26, { fit: 'fill' }).raw().toBuffer({ resolveWithObject: true }),
  );
  for (let k = 0; k < 60; k++) {
    const [x0, y0] = [(k * 53) % (width - 8), 2 + ((k * 29) % 18)];
    for (let y = 0; y < 2 + (k % 4); y++) {
      for (let x = 0; x < 3 + (k % 5); x++) {
        strip.data.fill(
          (k * 67) % 256,
          ((y0 + y) * width + x0 + x) * strip.info.channels,
          ((y0 + y) * width + x0 + x) * strip.info.channels + 3,
        );
      }
    }
  }
  const { channels } = strip.info;
  const overlay = await sharp(strip.data, { raw: { width, height: 26, channels } })
    .png()
    .toBuffer();
  await sharp(from)
    .composite([{ input: overlay, left: 0, top: height - 26 }])
    .jpeg({ quality: 92 })
    .toFile(to);
}

/** Files under `folder`/trouble, by what is wrong with them. `photo`: a right photograph to make copies of. */
export async function makeTrouble(folder: string, photo: string): Promise<Record<string, string>> {
  const place = join(folder, 'trouble');
  mkdirSync(place, { recursive: true });
  const file = (name: string) => join(place, name);
  const flat = (width: number, height: number) =>
    sharp({ create: { width, height, channels: 3, background: '#7a8899' } });
  const stripes = (period: number) => {
    const data = Uint8Array.from({ length: 320 * 240 }, (_, i) => {
      const [x, y] = [i % 320, Math.floor(i / 320)];
      return (Math.floor(x / period) + Math.floor(y / period)) % 2 === 0 ? 30 : 220;
    });
    return sharp(data, { raw: { width: 320, height: 240, channels: 1 } });
  };
  await flat(320, 240).jpeg().toFile(file('blank.jpg'));
  await flat(320, 240).linear(1.2).jpeg().toFile(file('blank-2.jpg'));
  await flat(4, 4).png().toFile(file('tiny.png'));
  await sharp(photo).resize(20, 15, { fit: 'fill' }).png().toFile(file('small.png'));
  await sharp(photo).resize(1200).jpeg({ quality: 70 }).toFile(file('huge.jpg'));
  await sharp(photo).greyscale().png().toFile(file('grey.png'));
  // stored on its side, upright by its tag
  await sharp(photo).rotate(270).jpeg({ quality: 92 }).withMetadata({ orientation: 6 }).toFile(file('turned.jpg'));
  copyFileSync(photo, file('identical.jpg'));
  writeFileSync(file('cut.jpg'), readFileSync(photo).subarray(0, 3000));
  writeFileSync(file('text.jpg'), 'no image at all');
  await stripes(12).png().toFile(file('checks-12.png'));
  await stripes(17).png().toFile(file('checks-17.png'));
  return Object.fromEntries(
    'blank.jpg blank-2.jpg tiny.png small.png huge.jpg grey.png turned.jpg identical.jpg cut.jpg text.jpg checks-12.png checks-17.png missing.jpg'
      .split(' ')
      .map((name) => [name, file(name)]),
  );
}
