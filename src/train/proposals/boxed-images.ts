/** @file Photographs with a box, as the frozen trunk's maps: read once, kept within a budget of bytes. */
import type { BoxedRecord, ImageRecord } from '../../data/manifest.js';
import { uprightSize } from '../../data/upright-size.js';
import { InputError } from '../../errors.js';
import { boxInImage, type ImageSides } from '../../rpn/box-rows.js';
import { identityView } from '../augmentation.js';
import { ImageInputs } from '../image-inputs.js';
import type { TrainableModel } from '../trainable-model.js';

/** The records that have a box. Throws `InputError` when none has. */
export function boxedRecords(records: readonly ImageRecord[], source: string): BoxedRecord[] {
  const boxed = records.filter((record): record is BoxedRecord => record.box !== undefined);
  if (boxed.length === 0) {
    throw new InputError(
      `${source}: none of the ${records.length} records has a "box"; rmac clean writes them into clean.jsonl.`,
    );
  }
  return boxed;
}

/** A photograph, mirrored or not, and what its anchors are drawn from. */
export interface BoxedView {
  record: BoxedRecord;
  flip: boolean;
  seed: number;
}

export interface BoxedMap {
  /** Of the trunk, [1, h, w, C]. */
  values: Float32Array;
  shape: [number, number, number, number];
  /** The image that the map is of, and the box in it: one row of `BoxRows`, px. */
  image: ImageSides;
  box: Float32Array;
}

export interface LoadedMap {
  id: string;
  map: BoxedMap;
  seed: number;
}

export class BoxedImages {
  private readonly inputs: ImageInputs;
  private readonly originals = new Map<string, ImageSides>();

  constructor(model: TrainableModel, { imageSize, cacheBytes }: { imageSize: number; cacheBytes: number }) {
    this.inputs = new ImageInputs(model, { freeze: 'all', imageSize, cacheBytes, keep: 'first' });
  }

  get cachedBytes(): number {
    return this.inputs.cachedBytes;
  }

  /** Maps and boxes in order, decoded ahead. A photograph that cannot be used, by its pixels or its box, comes as its error. */
  async *load(views: readonly BoxedView[]): AsyncGenerator<LoadedMap | { id: string; error: InputError }> {
    const items = views.map(({ record, flip, seed }) => ({ record, flip, seed, view: { ...identityView, flip } }));
    for await (const loaded of this.inputs.load(items)) {
      const { record, flip, seed } = loaded.item;
      const { id } = record;
      if ('error' in loaded) {
        yield { id, error: loaded.error };
        continue;
      }
      if (loaded.input.kind !== 'map') throw new Error('BoxedImages: a frozen trunk gives maps');
      const { values, shape, imageSizePx } = loaded.input;
      const image = { height: imageSizePx[0], width: imageSizePx[1] };
      try {
        const box = boxInImage(record.box, await this.originalOf(record), image, flip);
        if (box === undefined) {
          const { x, y, width, height } = record.box;
          throw new InputError(
            `${record.path}: its box ${x},${y},${width},${height} (x,y,width,height) has no pixel of it.`,
          );
        }
        yield { id, seed, map: { values, shape, image, box } };
      } catch (error) {
        if (!(error instanceof InputError)) throw error;
        yield { id, error };
      }
    }
  }

  private async originalOf({ id, path }: BoxedRecord): Promise<ImageSides> {
    const known = this.originals.get(id);
    if (known !== undefined) return known;
    const size = await uprightSize(path);
    this.originals.set(id, size);
    return size;
  }
}
