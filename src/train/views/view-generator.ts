/** @file Photographs of an image as telephones would take them: for landmarks of which there is a single clean picture. */
import { findImages } from '../../data/find-images.js';
import { decodeImage } from '../../data/images.js';
import type { ImageRecord } from '../../data/manifest.js';
import { sharp } from '../../data/raster-loaders.js';
import type { RgbImage } from '../../data/rgb-image.js';
import { whyUnreadable } from '../../data/read-file.js';
import { InputError, UsageError } from '../../errors.js';
import { Random } from '../../synthetic/random.js';
import { addNoise, drawSurface, renderScene, withoutMargin } from './render-scene.js';
import { drawScene, type Scene } from './scene.js';
import type { ViewSettings } from './view-settings.js';

interface Sides {
  width: number;
  height: number;
}

/** Px of the decoded image by px of what is shown of it: margins are left out, and near parts are larger. */
const reserve = 1.3;

/** Generates photographs of images; the same seed gives the same one. */
export class ViewGenerator {
  /** `backgrounds`: files of photographs that may lie behind. */
  constructor(
    private readonly settings: ViewSettings,
    private readonly backgrounds: readonly string[],
  ) {}

  /** A photograph of `frame`'s sides, px, of the image or of its box. Throws the image's `InputError`. */
  async generate({ path, box }: Pick<ImageRecord, 'path' | 'box'>, seed: number, frame: Sides): Promise<RgbImage> {
    const { settings, backgrounds } = this;
    const random = new Random(seed);
    const scene = drawScene(random.fork('scene'), settings, backgrounds.length);
    const longest = Math.round(reserve * scene.scale * Math.min(frame.width, frame.height));
    const image = await decodeImage(path, { sizing: { longest }, crop: box });
    const part = settings.trim ? withoutMargin(image) : { left: 0, top: 0, ...image };
    const background = await this.backgroundOf(scene, seed, frame);
    const drawn = renderScene(image, part, scene, { ...frame, background });
    return photographed(drawn, scene, random.fork('camera'));
  }

  private async backgroundOf({ background }: Scene, seed: number, frame: Sides): Promise<RgbImage> {
    if ('colour' in background) return drawSurface(background, seed, frame);
    const { at, zoom, left, top } = background;
    const shortest = Math.max(frame.width, frame.height);
    try {
      const { data, width, height } = await decodeImage(this.backgrounds[at], {
        sizing: { longest: 'none', shortest },
      });
      const [w, h] = [frame.width, frame.height].map((side) => Math.floor(side / zoom));
      const window = { left: Math.floor(left * (width - w)), top: Math.floor(top * (height - h)), width: w, height: h };
      const cut = sharp(data, { raw: { width, height, channels: 3 } })
        .extract(window)
        .resize(frame.width, frame.height);
      return { data: new Uint8Array(await cut.raw().toBuffer()), ...frame };
    } catch (error) {
      // The image itself can be read: it is not to be left out for what would lie behind.
      if (!(error instanceof InputError)) throw error;
      return drawSurface({ colour: [128, 128, 128], grain: 0 }, seed, frame);
    }
  }
}

/** What a camera makes of it: blur, noise, compression. */
async function photographed(image: RgbImage, { blur, noise, jpeg }: Scene, random: Random): Promise<RgbImage> {
  const { width, height } = image;
  const raw = { width, height, channels: 3 } as const;
  const sigma = blur * Math.max(width, height);
  // sharp takes no deviation below 0.3
  const data = sigma < 0.3 ? image.data : await sharp(image.data, { raw }).blur(sigma).raw().toBuffer();
  const taken = { ...image, data: new Uint8Array(data) };
  addNoise(taken, noise, random);
  if (jpeg === 100) return taken;
  return decodeImage(await sharp(taken.data, { raw }).jpeg({ quality: jpeg }).toBuffer());
}

/**
 * What generates the photographs of a run. Behind them lie those of `records`: of the folder of the settings, or the
 * records' own. Undefined without settings. @throws InputError for a folder without a photograph.
 */
export async function openViews(
  settings: ViewSettings | undefined,
  records: readonly ImageRecord[],
): Promise<ViewGenerator | undefined> {
  if (settings === undefined) return undefined;
  const { backgrounds: folder, smallest, largest } = settings;
  if (smallest > largest) throw new UsageError(`views.smallest ${smallest} exceeds views.largest ${largest}.`);
  if (folder === undefined) return new ViewGenerator(settings, [...new Set(records.map(({ path }) => path))]);
  const { images } = await findImages(folder).catch((error: unknown) => {
    throw new InputError(`Cannot read views.backgrounds ${folder}: ${whyUnreadable(folder, error)}`);
  });
  if (images.length === 0) throw new InputError(`views.backgrounds: ${folder} has no photograph.`);
  return new ViewGenerator(
    settings,
    images.map(({ path }) => path),
  );
}
