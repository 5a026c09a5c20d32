import { rm, writeFile } from 'node:fs/promises';
import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, test } from 'vitest';
import { decodeImage, toTensor } from '../../src/data/images.js';
import type { ImageRecord } from '../../src/data/manifest.js';
import { identityView } from '../../src/train/augmentation.js';
import { ImageInputs, type LoadedInput, unaugmented, type ViewedImage } from '../../src/train/image-inputs.js';
import { expectClose } from '../support/close.js';
import '../support/engine.js';
import { expectNoLeak } from '../support/leak.js';
import { smallModel } from '../support/small-model.js';
import { stripedPhotographs, temporaryFolder } from './tiny-run.js';

let records: ImageRecord[];
beforeAll(async () => {
  records = await stripedPhotographs(await temporaryFolder(), { landmarks: 1, photos: 4 });
  await writeFile(records[1].path, 'no image');
});

async function all<T extends ViewedImage>(loading: AsyncGenerator<LoadedInput<T>>): Promise<LoadedInput<T>[]> {
  const loaded: LoadedInput<T>[] = [];
  for await (const one of loading) loaded.push(one);
  return loaded;
}

describe('ImageInputs', () => {
  test.each(['none', 'stage1', 'all'])('freeze %s: descriptors are those of the whole model', async (freeze) => {
    const model = smallModel({ whiteningDimension: 8 });
    const inputs = new ImageInputs(model, { freeze, imageSize: 48, cacheBytes: 1e6 });
    for (const round of ['cold', 'warm']) {
      const loaded = await all(inputs.load(records.map(unaugmented)));
      expect(loaded.map(({ item }) => item.record.id)).toEqual(records.map(({ id }) => id));
      for (const one of loaded) {
        if ('error' in one) {
          expect(one.item.record.id).toBe('l0/p1');
          expect(one.error.message).toContain('l0-p1.png');
          continue;
        }
        const image = await decodeImage(one.item.record.path, { sizing: { longest: 48, multipleOf: 16 } });
        const expected = tf.tidy(() => model.describe(toTensor(image)).dataSync());
        expectClose(
          tf.tidy(() => inputs.describe(one.input).dataSync()),
          expected,
          { absolute: 1e-5 },
        );
      }
      expect(inputs.cachedBytes, round).toBeGreaterThan(0);
    }
  });

  test('works the same without room to keep anything', async () => {
    const inputs = new ImageInputs(smallModel(), { freeze: 'stage1', imageSize: 48, cacheBytes: 0 });
    const [first] = await all(inputs.load([unaugmented(records[0])]));
    const [again] = await all(inputs.load([unaugmented(records[0])]));
    expect(first).toEqual(again);
    expect(inputs.cachedBytes).toBe(0);
  });

  test('a view that comes once is kept for the update and then dropped; a mirror image stays', async () => {
    const inputs = new ImageInputs(smallModel(), { freeze: 'none', imageSize: 48, cacheBytes: 1e6 });
    const dark: ViewedImage = { record: records[0], view: { ...identityView, gains: [0.5, 0.5, 0.5] } };
    const mirrored: ViewedImage = { record: records[0], view: { ...identityView, flip: true } };
    await all(inputs.load([dark, mirrored]));
    const both = inputs.cachedBytes;
    inputs.forgetOnce([dark, mirrored]);
    expect(inputs.cachedBytes).toBe(both / 2);
  });

  test('what was prefetched is loaded without its file, once; an error is told by load', async () => {
    const some = await stripedPhotographs(await temporaryFolder(), { landmarks: 1, photos: 3 });
    await writeFile(some[1].path, 'no image');
    const inputs = new ImageInputs(smallModel(), { freeze: 'none', imageSize: 48, cacheBytes: 0, ahead: 2 });
    const expected = await all(inputs.load(some.map(unaugmented)));
    await inputs.prefetch(some.map(unaugmented)); // the first two
    await rm(some[0].path);
    const loaded = await all(inputs.load(some.map(unaugmented)));
    expect(loaded[0]).toEqual(expected[0]);
    expect(loaded[1]).toMatchObject({ error: { message: expect.stringContaining('l0-p1.png') as string } });
    expect(loaded[2]).toEqual(expected[2]);
    expect((await all(inputs.load([unaugmented(some[0])])))[0]).toHaveProperty('error');
    const { waitedMs } = inputs;
    expect(waitedMs).toBeGreaterThan(0);
  });

  test('leaves no tensor behind', async () => {
    const inputs = new ImageInputs(smallModel(), { freeze: 'stage1', imageSize: 48, cacheBytes: 0 });
    await expectNoLeak(() => all(inputs.load([unaugmented(records[0])])));
  });
});
