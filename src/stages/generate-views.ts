/** @file Photographs generated from those of a manifest, on disk: to look at, and to measure with where there are no others. */
import { writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { resolveConfig } from '../config.js';
import { makeFolder } from '../data/files.js';
import { linkImages } from '../data/image-link.js';
import { pathInside } from '../data/image-path.js';
import { type ImageRecord, manifestText, readManifest } from '../data/manifest.js';
import { sharp } from '../data/raster-loaders.js';
import { assertReplaceable, writeWholeFolder } from '../data/replace-folder.js';
import { InputError } from '../errors.js';
import { drawGenerated, frameOf } from '../train/augmentation.js';
import { RandomStream } from '../train/random.js';
import { withViews } from '../train/views/training-record.js';
import { openViews, type ViewGenerator } from '../train/views/view-generator.js';
import { viewSettingsSchema } from '../train/views/view-settings.js';
import { type StageContext, silentView } from './context.js';

/** Of which photographs, how many, and where to. */
export interface GenerateViewsOptions {
  manifest: string;
  /** Folder to create: views/, manifest.jsonl (the views) and groundtruth.json (queries = views, database = the manifest). */
  out: string;
  /** Of each photograph. Default 2. */
  perImage?: number;
  /** Longer side, px. Default 320. */
  size?: number;
  /** Of what is drawn; a training draws by its own. Default 0. */
  seed?: number;
  /** Settings of the views over the defaults, `key=value`. */
  set?: readonly string[];
  /** Replace what an earlier call wrote. */
  overwrite?: boolean;
}

/** What was written. */
export interface GeneratedViews {
  out: string;
  views: number;
  images: number;
  landmarks: number;
  /** Photographs that cannot be read. */
  failures: { id: string; error: string }[];
}

/** @throws UsageError for a setting out of range; InputError if `out` is taken or cannot be written, no photograph can be read, or on the signal. */
export async function generateViews(
  options: GenerateViewsOptions,
  context: StageContext = {},
): Promise<GeneratedViews> {
  const { manifest, out, perImage = 2, set = [], overwrite } = options;
  const settings = await resolveConfig(viewSettingsSchema, { set: [`perImage=${perImage}`, ...set] });
  await assertReplaceable(out, { overwrite, mark: 'groundtruth.json', kind: 'generated photographs' });
  const images = await readManifest(manifest);
  const generator = (await openViews(settings, images))!;
  return writeWholeFolder(out, async (fresh) => {
    await makeFolder(join(fresh, 'views'));
    const views = withViews(images, settings).filter(({ generated }) => generated);
    const { written, failures } = await writeViews(fresh, views, generator, options, context);
    if (written.length === 0)
      throw new InputError(`None of the ${images.length} photographs can be read; the first: ${failures[0].error}`);
    const linked = await linkImages(fresh, dirname(resolve(manifest)), images.map(absolute));
    await writeFile(join(fresh, 'manifest.jsonl'), manifestText(join(fresh, 'manifest.jsonl'), written));
    await writeFile(join(fresh, 'groundtruth.json'), JSON.stringify(truthOf(fresh, written, linked.records)));
    const landmarks = new Set(images.map(({ landmark }) => landmark)).size;
    return { out, views: written.length, images: images.length, landmarks, failures };
  });
}

async function writeViews(
  folder: string,
  views: readonly ImageRecord[],
  generator: ViewGenerator,
  { size = 320, seed = 0 }: GenerateViewsOptions,
  { view = silentView, signal }: StageContext,
): Promise<{ written: ImageRecord[]; failures: GeneratedViews['failures'] }> {
  const random = new RandomStream(seed);
  const written: ImageRecord[] = [];
  const failures: GeneratedViews['failures'] = [];
  const progress = view.progress('Photographs', views.length);
  try {
    for (const [i, record] of views.entries()) {
      if (signal?.aborted) throw new InputError('Interrupted; nothing was written.');
      const generated = drawGenerated(random).generated!;
      const path = join(folder, 'views', `${String(i + 1).padStart(6, '0')}.png`);
      try {
        const { data, width, height } = await generator.generate(
          record,
          generated,
          frameOf(generated, { imageSize: size, stride: 1 }),
        );
        await sharp(data, { raw: { width, height, channels: 3 } })
          .png()
          .toFile(path);
        const { id, landmark, group } = record;
        written.push({ id, path, landmark, ...(group !== undefined && { group }) });
      } catch (error) {
        if (!(error instanceof InputError)) throw error;
        failures.push({ id: record.id, error: error.message });
      }
      progress.update(i + 1);
    }
  } finally {
    progress.stop();
  }
  return { written, failures };
}

/** Every view asks for the photographs of its landmark. */
function truthOf(folder: string, views: readonly ImageRecord[], database: readonly ImageRecord[]) {
  const inside = (path: string) => pathInside(folder, path);
  return {
    queries: views.map(({ id, path, landmark }) => ({
      id,
      image: inside(path),
      landmark,
      positives: database.filter((record) => record.landmark === landmark).map((record) => record.id),
      junk: [],
    })),
    database: database.map(({ id, path }) => ({ id, image: inside(path) })),
  };
}

function absolute(record: ImageRecord): ImageRecord {
  return { ...record, path: resolve(record.path) };
}
