import { describe, expect, test } from 'vitest';
import { resolveConfig } from '../../../src/config.js';
import { UsageError } from '../../../src/errors.js';
import { assertSides, classifyConfigSchema } from '../../../src/train/classify/classify-config.js';

describe('classifyConfigSchema', () => {
  test.each(['small-classify', 'gordo-eccv-vgg16-classify'])(
    'the recipe %s fits, and its sides fit together',
    async (recipe) => {
      const config = await resolveConfig(classifyConfigSchema, { recipe });
      expect(() => assertSides(config)).not.toThrow();
      expect(config.batchSize % config.imagesPerPass).toBe(0);
    },
  );

  test('the published crops: sides of 256 to 512, windows of 224', async () => {
    const published = { shortestSideMin: 256, shortestSideMax: 512, cropSize: 224 };
    expect(await resolveConfig(classifyConfigSchema, { recipe: 'gordo-eccv-vgg16-classify' })).toMatchObject(published);
    expect(await resolveConfig(classifyConfigSchema, {})).toMatchObject(published);
  });

  test('a recipe of another trainer is refused by its first foreign key', async () => {
    const wrong = resolveConfig(classifyConfigSchema, { recipe: 'small-triplet' });
    await expect(wrong).rejects.toThrow(UsageError);
    await expect(wrong).rejects.toThrow(/Unknown config key "(imageSize|tripletsPerStep)"/);
  });
});
