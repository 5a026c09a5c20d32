/**
 * @file Settings of a run: a schema's defaults, under a recipe (YAML), under `--set key=value`. An unknown key or a value of the
 * wrong type is an error that names the key, what was expected and what was found; nothing is ignored or converted silently.
 */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { distance } from 'fastest-levenshtein';
import { Document, isMap, isScalar, parseDocument, type YAMLMap } from 'yaml';
import { z } from 'zod';
import { readText, whyUnreadable } from './data/read-file.js';
import { InputError, messageOf, UsageError } from './errors.js';
import { smallest } from './extremes.js';

type Plain = Record<string, unknown>;

/** The recipes that ship with the package: `recipes/<name>.yaml`. */
export const recipesFolder: string = fileURLToPath(new URL('../recipes/', import.meta.url));

/** A schema of whole numbers of at least `min` and at most `max`; the error says just that. */
export function wholeNumber(min: number, max: number = Number.MAX_SAFE_INTEGER): z.ZodNumber {
  const expected = `a whole number of at least ${min}${max === Number.MAX_SAFE_INTEGER ? '' : ` and at most ${max}`}`;
  return z.number(expected).int(expected).min(min, expected).max(max, expected);
}

/** A schema of numbers of at least `min` (above it with `open`) and at most `max`. */
export function numberFrom(
  min: number,
  { max = Infinity, open = false }: { max?: number; open?: boolean } = {},
): z.ZodNumber {
  const expected = `a number ${open ? 'above' : 'of at least'} ${min}${max === Infinity ? '' : ` and at most ${max}`}`;
  const schema = z.number(expected);
  const bounded = open ? schema.gt(min, expected) : schema.min(min, expected);
  return max === Infinity ? bounded : bounded.max(max, expected);
}

/** A schema of one of `values`. */
export function oneOf<const T extends readonly [string, ...string[]]>(values: T): z.ZodEnum<{ [K in T[number]]: K }> {
  return z.enum(values, `one of ${values.join(', ')}`);
}

export interface ConfigSources {
  /** A recipe's name (a file of `recipes/` without extension) or a path. */
  recipe?: string;
  /** `key=value` or `part.key=value`; the value is read as YAML. Later ones win. */
  set?: readonly string[];
  /** What the schema's defaults are replaced with before the recipe: the configuration of a run that is resumed. */
  base?: Plain;
}

/** Defaults, recipe and `--set`, checked. Throws `UsageError` on an unknown key or wrong value, `InputError` on an unreadable recipe. */
export async function resolveConfig<S extends z.ZodObject>(
  schema: S,
  { recipe, set = [], base = {} }: ConfigSources,
): Promise<z.output<S>> {
  let values = checkedLayer(schema, base, 'the run');
  if (recipe !== undefined) {
    const file = recipeFile(recipe);
    values = merge(values, checkedLayer(schema, parseRecipe(await readRecipe(file), file), file));
  }
  for (const assignment of set)
    values = merge(values, checkedLayer(schema, parseAssignment(assignment), `--set ${assignment}`));
  return schema.parse(values);
}

/** The values as YAML, what a key means above it as far as the schema describes it. */
export function configText(values: Readonly<Plain>, schema?: z.ZodObject): string {
  const document = new Document(values);
  if (schema?.description !== undefined) document.commentBefore = ` ${schema.description}`;
  if (schema !== undefined && isMap(document.contents)) addComments(document.contents, schema);
  return document.toString();
}

const commentWidth = 110;

function addComments(map: YAMLMap, schema: z.ZodObject): void {
  for (const { key, value } of map.items) {
    if (!isScalar(key)) continue;
    const field: unknown = schema.shape[String(key.value)];
    if (!(field instanceof z.ZodType)) continue;
    const inner = unwrapped(field);
    if (isMap(value) && inner instanceof z.ZodObject) addComments(value, inner);
    const text = field.description;
    if (text !== undefined)
      key.commentBefore = text.replaceAll(new RegExp(`(.{1,${commentWidth}})( |$)`, 'g'), ' $1\n').trimEnd();
  }
}

/** A recipe's text -> plain values. `source` is named in errors. */
export function parseRecipe(text: string, source: string): Plain {
  if (text.length > longestRecipe) {
    throw new InputError(`${source} has ${text.length} characters, and a recipe at most ${longestRecipe}.`);
  }
  const document = parsedYaml(text, source);
  const problem = document.errors[0];
  if (problem !== undefined) {
    const line = problem.linePos?.[0].line;
    throw new InputError(
      `${source}${line === undefined ? '' : `:${line}`}: not YAML: ${problem.message.split('\n')[0]}`,
    );
  }
  if (document.contents === null) return {};
  if (!isMap(document.contents)) throw new InputError(`${source}: expected lines of "key: value".`);
  try {
    return plainValue(document) as Plain;
  } catch (error) {
    throw new InputError(`${source}: not YAML: ${messageOf(error)}`);
  }
}

/** Characters; the parser's time grows with the square of the number of keys. */
const longestRecipe = 1 << 18;

function parsedYaml(text: string, source: string): Document.Parsed {
  try {
    return parseDocument(text, { prettyErrors: true, logLevel: 'error' }); // its warnings would go to the terminal
  } catch (error) {
    throw new InputError(`${source}: not YAML: ${messageOf(error)}`); // nested beyond the stack
  }
}

/** The document as plain values, bounded: aliases that multiply are refused, and so are values that contain themselves. */
function plainValue(document: Document.Parsed): unknown {
  const value: unknown = document.toJS();
  try {
    JSON.stringify(value);
  } catch {
    throw new Error('a value contains itself, or is nested too deeply');
  }
  return value;
}

/** Settings as `--set` has them: what `parseAssignment` reads. */
export function settingsList(config: Plain): string[] {
  const given = Object.entries(config).filter(([, value]) => value !== undefined);
  return given.map(([key, value]) => `${key}=${JSON.stringify(value)}`);
}

/** `augmentation.flip=true` -> `{ augmentation: { flip: true } }`. */
export function parseAssignment(assignment: string): Plain {
  const at = assignment.indexOf('=');
  if (at < 1) throw new UsageError(`--set ${assignment}: expected key=value.`);
  const document = parsedYaml(assignment.slice(at + 1), `--set ${assignment.slice(0, at)}`);
  if (document.errors.length > 0) throw new UsageError(`--set ${assignment}: the value is not YAML.`);
  let value: unknown;
  try {
    value = plainValue(document);
  } catch (error) {
    throw new UsageError(`--set ${assignment}: ${messageOf(error)}`);
  }
  return assignment
    .slice(0, at)
    .split('.')
    .reduceRight<unknown>((inner, key) => ({ [key.trim()]: inner }), value) as Plain;
}

/** The known key of these initials (`lr`, `wd`), else the one with the fewest changed letters (Levenshtein distance). */
export function nearestKey(key: string, known: readonly string[]): string {
  // Names are short; a longer key is cut so that a hostile one costs nothing.
  const short = key.slice(0, 64).toLowerCase().replaceAll(/[-_]/g, '');
  const initials = known.find((name) => (name[0] + name.slice(1).replaceAll(/[^A-Z]/g, '')).toLowerCase() === short);
  if (initials !== undefined && short.length > 1) return initials;
  const distances = known.map((name) => distance(short, name.toLowerCase()));
  return known[distances.indexOf(smallest(distances))];
}

function recipeFile(recipe: string): string {
  if (/[\\/]|\.ya?ml$/.test(recipe)) {
    if (!existsSync(recipe)) throw new InputError(`${recipe}: no such recipe file.`);
    return recipe;
  }
  const file = join(recipesFolder, `${recipe}.yaml`);
  if (existsSync(file)) return file;
  const names = existsSync(recipesFolder)
    ? readdirSync(recipesFolder).flatMap((name) => (name.endsWith('.yaml') ? [name.slice(0, -5)] : []))
    : [];
  throw new UsageError(
    `Unknown recipe "${recipe}". Known: ${names.join(', ')}; a file is named by its path (./${recipe}.yaml).`,
  );
}

async function readRecipe(file: string): Promise<string> {
  try {
    return await readText(file);
  } catch (error) {
    throw new InputError(`Cannot read the recipe ${file}: ${whyUnreadable(file, error)}`);
  }
}

/** Checks one layer alone, so that the error can say where the value came from; returns only what the layer itself sets. */
function checkedLayer(schema: z.ZodObject, values: Plain, source: string): Plain {
  const result = schema.safeParse(values);
  if (result.success) return values;
  const issue = result.error.issues[0];
  if (issue.code === 'unrecognized_keys') {
    const key = issue.keys[0];
    const known = knownKeys(schema, issue.path);
    throw new UsageError(
      `Unknown config key "${[...issue.path, key].join('.')}" (${source}). Did you mean "${[...issue.path, nearestKey(key, known)].join('.')}"? Known: ${known.join(', ')}.`,
    );
  }
  const got = issue.path.reduce<unknown>((inner, key) => (inner as Plain)[String(key)], values);
  const shown = (JSON.stringify(got) ?? String(got)).slice(0, 60);
  throw new UsageError(
    `Config key "${issue.path.join('.')}" (${source}): expected ${issue.message}, got ${shown} (${kindOf(got)}).`,
  );
}

function kindOf(value: unknown): string {
  if (value === null) return 'null';
  return Array.isArray(value) ? 'list' : typeof value;
}

function knownKeys(schema: z.ZodObject, path: readonly PropertyKey[]): string[] {
  let inner: unknown = schema;
  for (const key of path) {
    inner = unwrapped((inner as z.ZodObject).shape[String(key)]);
  }
  return Object.keys((inner as z.ZodObject).shape);
}

/** What is inside of defaults. */
function unwrapped(schema: unknown): unknown {
  let inner = schema;
  while (inner instanceof z.ZodPrefault || inner instanceof z.ZodDefault || inner instanceof z.ZodOptional) {
    inner = inner.unwrap();
  }
  return inner;
}

function merge(below: Plain, above: Plain): Plain {
  const merged = { ...below };
  for (const [key, value] of Object.entries(above)) {
    const old = merged[key];
    merged[key] = isPlain(old) && isPlain(value) ? merge(old, value) : value;
  }
  return merged;
}

function isPlain(value: unknown): value is Plain {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
