import { readdirSync } from 'node:fs';
import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { describe, expect, test, vi } from 'vitest';
import { z } from 'zod';
import {
  configText,
  nearestKey,
  numberFrom,
  oneOf,
  parseAssignment,
  parseRecipe,
  recipesFolder,
  resolveConfig,
  wholeNumber,
} from '../src/config.js';
import { InputError, UsageError } from '../src/errors.js';
import { classifyConfigSchema } from '../src/train/classify/classify-config.js';
import { rpnConfigSchema } from '../src/train/proposals/rpn-config.js';
import { tripletConfigSchema } from '../src/train/ranking/triplet-config.js';

const schema = z.strictObject({
  steps: wholeNumber(1).default(64),
  learningRate: numberFrom(0, { open: true }).default(0.001),
  sampling: oneOf(['hardest', 'ijcv']).default('ijcv'),
  augmentation: z
    .strictObject({ flip: z.boolean('true or false').default(false) }, 'lines of "key: value"')
    .prefault({}),
});

const errorOf = (set: string[]) =>
  resolveConfig(schema, { set }).then(
    () => expect.unreachable(),
    (error: unknown) => error as Error,
  );

describe('resolveConfig', () => {
  test('the order is defaults, recipe, --set, and the last --set wins', async () => {
    const file = join(await mkdtemp(join(tmpdir(), 'rmac-config-')), 'recipe.yaml');
    await writeFile(file, 'steps: 8 # few\naugmentation:\n  flip: true\n');
    expect(await resolveConfig(schema, { recipe: file, set: ['steps=9', 'steps=10'] })).toEqual({
      steps: 10,
      learningRate: 0.001,
      sampling: 'ijcv',
      augmentation: { flip: true },
    });
  });

  test('an unknown key is a usage error that names the nearest known one', async () => {
    const error = await errorOf(['learninRate=1']);
    expect(error).toBeInstanceOf(UsageError);
    expect(error.message).toMatch(/"learninRate".*Did you mean "learningRate"\?/);
    expect((await errorOf(['augmentation.flop=true'])).message).toMatch(/"augmentation.flop".*"augmentation.flip"/);
    expect((await errorOf(['__proto__.flip=true'])).message).toMatch(/Unknown config key/);
  });

  test.each([
    ['steps=many', 'steps', 'a whole number of at least 1', '"many" (string)'],
    ['steps=1.5', 'steps', 'a whole number of at least 1', '1.5 (number)'],
    ['steps=0', 'steps', 'a whole number of at least 1', '0 (number)'],
    ['steps=null', 'steps', 'a whole number of at least 1', 'null (null)'],
    ['learningRate=0', 'learningRate', 'a number above 0', '0 (number)'],
    ['learningRate=.nan', 'learningRate', 'a number above 0', 'null (number)'],
    ['sampling=random', 'sampling', 'one of hardest, ijcv', '"random" (string)'],
    ['augmentation=3', 'augmentation', 'lines of "key: value"', '3 (number)'],
    ['augmentation.flip=yes', 'augmentation.flip', 'true or false', '"yes" (string)'], // YAML 1.2: "yes" is text
  ])('--set %s names the key, what was expected and what was given', async (set, key, expected, got) => {
    const error = await errorOf([set]);
    expect(error).toBeInstanceOf(UsageError);
    expect(error.message).toContain(`"${key}" (--set ${set}): expected ${expected}, got ${got}`);
  });

  test('an unknown recipe lists the known ones; a missing file is an input error', async () => {
    await expect(resolveConfig(schema, { recipe: 'no-such' })).rejects.toThrow(/Known: .*small-triplet/);
    await expect(resolveConfig(schema, { recipe: './no-such.yaml' })).rejects.toBeInstanceOf(InputError);
  });

  test.each(['small-triplet', 'demo'])('the recipe %s fits the settings of triplet training', async (recipe) => {
    expect((await resolveConfig(tripletConfigSchema, { recipe })).steps).toBeGreaterThan(0);
  });
});

test('a recipe that is not YAML names file and line', () => {
  expect(() => parseRecipe('steps: 1\nmargin: [1', 'my.yaml')).toThrow(/^my\.yaml:2: not YAML/);
  expect(() => parseRecipe('- 1', 'my.yaml')).toThrow(/expected lines of "key: value"/);
  expect(parseRecipe('# only a comment\n', 'my.yaml')).toEqual({});
});

test('aliases that multiply are refused instead of filling memory', () => {
  const levels = Array.from({ length: 12 }, (_, i) => `l${i + 1}: &l${i + 1} [${`*l${i},`.repeat(9)}]`);
  expect(() => parseRecipe(['l0: &l0 [x]', ...levels].join('\n'), 'bomb.yaml')).toThrow(InputError);
});

test('whatever a recipe or an assignment holds, only our errors come out', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.string({ unit: 'binary' }),
      fc.constantFrom('', 'steps: ', 'a: &a [*a', '- '),
      async (text, start) => {
        const caught: unknown[] = [];
        const keep = (error: unknown) => caught.push(error);
        try {
          parseRecipe(start + text, 'fuzz.yaml');
        } catch (error) {
          keep(error);
        }
        try {
          parseAssignment(text);
        } catch (error) {
          keep(error);
        }
        await resolveConfig(schema, { set: [`steps=${text}`] }).catch(keep);
        for (const error of caught) expect(error instanceof InputError || error instanceof UsageError).toBe(true);
      },
    ),
    { numRuns: 300 },
  );
});

test('nearestKey changes the fewest letters, and knows initials and other spellings', () => {
  const known = ['margin', 'learningRate', 'steps', 'weightDecay', 'weightDecayOn'];
  expect(nearestKey('step', known)).toBe('steps');
  expect(nearestKey('weightdecay', known)).toBe('weightDecay');
  expect(nearestKey('learning_rate', known)).toBe('learningRate');
  expect(nearestKey('lr', known)).toBe('learningRate');
});

const recipes = readdirSync(recipesFolder).flatMap((file) => (file.endsWith('.yaml') ? [file.slice(0, -5)] : []));

test.each(recipes.filter((name) => name.endsWith('-rpn')))('the recipe %s has only known keys', async (recipe) => {
  await resolveConfig(rpnConfigSchema, { recipe });
});

test.each(recipes.filter((name) => !/-(classify|rpn)$/.test(name)))(
  'the recipe %s has only known keys',
  async (recipe) => {
    await resolveConfig(tripletConfigSchema, { recipe });
  },
);

test.each([
  ['triplet', tripletConfigSchema],
  ['classify', classifyConfigSchema],
  ['rpn', rpnConfigSchema],
])('config.yaml of train %s: a comment above every key, and the same values', async (name, runSchema: z.ZodObject) => {
  const set = name === 'triplet' ? ['classify.steps=3'] : [];
  const config: Record<string, unknown> = await resolveConfig(runSchema, { set });
  const text = configText(config, runSchema);
  expect(parseRecipe(text, 'config.yaml')).toEqual(config);
  const lines = text.trimEnd().split('\n');
  const keys = lines.flatMap((line, i) => (/^ *[a-zA-Z]\w*:/.test(line) ? [i] : []));
  expect(keys.length).toBeGreaterThanOrEqual(Object.keys(config).length);
  for (const i of keys) expect(lines[i - 1] ?? '', lines[i]).toMatch(/^ *# \S/);
  expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(120);
  expect(lines[0]).toContain('Gordo et al., ECCV 2016');
  expect(text).not.toContain('src/'); // the package has no sources
});

test('a recipe that contains itself, or is longer than any recipe, is refused at once', () => {
  expect(() => parseRecipe('steps: &a [*a]', 'my.yaml')).toThrow(/^my\.yaml: not YAML: a value contains itself/);
  expect(() => parseAssignment('steps=&a [*a]')).toThrow(UsageError);
  const keys = Array.from({ length: 200_000 }, (_, i) => `k${i}: 1`).join('\n');
  expect(() => parseRecipe(keys, 'my.yaml')).toThrow(/a recipe at most/);
});

test('nothing is written to the terminal while a recipe is read: keys that are lists', () => {
  const written = vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
  parseRecipe('? [a, b]\n: 1', 'my.yaml');
  expect(written).not.toHaveBeenCalled();
  written.mockRestore();
});
