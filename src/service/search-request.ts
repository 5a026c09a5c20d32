/** @file A search as a request asks for it: an image, and what is said about it in the form or the address. */
import type { Context } from 'hono';
import { HTTPException } from 'hono/http-exception';
import { z } from 'zod';
import { groupBy } from '../data/group-by.js';
import { photographFormat, unfitReason } from '../data/image-format.js';
import type { Box } from '../data/manifest.js';
import { openImage } from '../data/open-image.js';
import { InputError } from '../errors.js';
import type { SearchQuery } from '../stages/search.js';
import type { SearchTerms } from './collection-service.js';
import type { ServiceLimits } from './limits.js';

const box = z
  .string()
  .regex(/^\d{1,6}(\.\d{1,9})?(,\d{1,6}(\.\d{1,9})?){3}$/, 'expected x,y,width,height in px of the upright photograph')
  .transform((text): Box => {
    const [x, y, width, height] = text.split(',').map(Number);
    return { x, y, width, height };
  })
  .describe('the part that matters: x,y,width,height in px of the upright photograph');

const condition = z
  .string()
  .max(2000)
  .regex(/^[^=]+=/, 'expected column=value');

/** What may be said of a search, by name, each a text. */
export function termsSchema({ results }: Required<ServiceLimits>) {
  return z.object({
    k: z
      .string()
      .regex(/^\d{1,9}$/, 'expected a whole number')
      .transform(Number)
      .refine((k) => k >= 1 && k <= results, `expected 1 to ${results}`)
      .optional()
      .describe('number of results'),
    where: z
      .array(condition)
      .max(100)
      .describe('column=value; several of a column: one of them, of several columns: all of them'),
    rerank: z.enum(['aml', 'sift']).optional().describe('how the best results are looked at again'),
    qe: z.string().max(100).optional().describe('expansion of the query, such as aqe:10'),
  });
}

export const boxSchema = box;

/** The terms that stand in `fields`. @throws HTTPException 400 naming the field. */
export function readTerms(fields: readonly URLSearchParams[], limits: Required<ServiceLimits>): SearchTerms {
  const { k, where, rerank, qe } = parsed(termsSchema(limits), {
    k: field(fields, 'k'),
    where: fields.flatMap((each) => each.getAll('where')),
    rerank: field(fields, 'rerank'),
    qe: field(fields, 'qe'),
  });
  const byColumn = groupBy(where, (each) => each.slice(0, each.indexOf('=')));
  const values = [...byColumn].map(([column, conditions]) => [
    column,
    conditions.map((each) => each.slice(column.length + 1)),
  ]);
  return {
    count: k,
    rerank,
    queryExpansion: qe,
    where: where.length === 0 ? undefined : (Object.fromEntries(values) as Record<string, string[]>),
  };
}

/** What stands behind the ? of the address. No URL is made of it: it begins with what a client says is the host. */
export function addressFields(c: Context): URLSearchParams {
  return new URLSearchParams(/\?([^#]*)/.exec(c.req.url)?.[1]);
}

/** The photograph and the terms of a `POST /search`. @throws HTTPException: 400, 413 or 415 with the reason. */
export async function readSearch(
  c: Context,
  limits: Required<ServiceLimits>,
): Promise<{ query: SearchQuery; terms: SearchTerms }> {
  const fields = [addressFields(c)];
  let image: Uint8Array;
  const type = c.req.header('content-type') ?? '';
  const body = await readBody(c, limits);
  if (/^multipart\/form-data\b/i.test(type)) {
    const form = await readForm(body, type);
    const file = form.get('image');
    if (!(file instanceof File)) throw new HTTPException(400, { message: 'The form has no file "image".' });
    image = new Uint8Array(await file.arrayBuffer());
    const texts = [...form].filter((entry): entry is [string, string] => typeof entry[1] === 'string');
    fields.unshift(new URLSearchParams(texts));
  } else {
    image = body;
  }
  const terms = readTerms(fields, limits);
  const part = parsed(z.object({ box: box.optional() }), { box: field(fields, 'box') });
  await checkPhotograph(image, limits);
  return { query: { image, box: part.box }, terms };
}

/** The bytes of an upload, refused as soon as they are too many. */
async function readBody(c: Context, { megabytes }: Required<ServiceLimits>): Promise<Uint8Array<ArrayBuffer>> {
  const refuse = () => new HTTPException(413, { message: `The upload has more than ${megabytes} MB.` });
  const most = megabytes * 1e6;
  if (Number(c.req.header('content-length')) > most) throw refuse();
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of c.req.raw.body ?? []) {
    bytes += chunk.length;
    if (bytes > most) throw refuse();
    chunks.push(chunk);
  }
  const body = new Uint8Array(bytes);
  chunks.reduce((at, chunk) => (body.set(chunk, at), at + chunk.length), 0);
  return body;
}

async function readForm(body: Uint8Array<ArrayBuffer>, type: string): Promise<FormData> {
  try {
    return await new Response(body, { headers: { 'Content-Type': type } }).formData();
  } catch {
    throw new HTTPException(400, {
      message: 'The form cannot be read: expected multipart/form-data with a file "image".',
    });
  }
}

/** Refuses by the header what would not be described, before it waits for its turn. */
async function checkPhotograph(image: Uint8Array, { megapixels }: Required<ServiceLimits>): Promise<void> {
  if (image.length === 0) throw new HTTPException(400, { message: 'The upload is empty: expected a photograph.' });
  if (photographFormat(image) === undefined) {
    throw new HTTPException(415, { message: `The upload is refused: ${unfitReason(image)}.` });
  }
  const { metadata } = await openImage(image).catch((error: unknown) => {
    throw error instanceof InputError ? new HTTPException(400, { message: aboutUpload(error) }) : error;
  });
  const { width, height } = metadata.autoOrient;
  if (width * height > megapixels * 1e6) {
    const message = `The photograph has ${width}x${height} px, more than ${megapixels} megapixels: scale it down first.`;
    throw new HTTPException(413, { message });
  }
}

/** The first that has it. */
function field(fields: readonly URLSearchParams[], name: string): string | undefined {
  const text = fields.map((each) => each.get(name)).find((each) => each !== null);
  return text === undefined || text === null || text === '' ? undefined : text;
}

function parsed<T extends z.ZodType>(schema: T, value: unknown): z.output<T> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const [{ path, message }] = result.error.issues;
  throw new HTTPException(400, { message: `"${String(path[0])}": ${message}.` });
}

/** What became of an image that was sent, in words for who sent it: errors name it as bytes in memory, and tell the owner of the machine what to set. */
export function aboutUpload({ message }: Error): string {
  return message
    .replace(/^image in memory \(\d+ bytes\)/, 'The photograph')
    .replace(/, or set RMAC_DECODING_MB=\d+/, '');
}
