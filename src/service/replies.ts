/** @file What the service answers, as JSON: the types, and the schemas that its description is made of. */
import { z } from 'zod';

const box = z
  .object({ x: z.number(), y: z.number(), width: z.number(), height: z.number() })
  .describe('px of the upright photograph, origin at its top left corner');

const sides = z.object({ width: z.number().int(), height: z.number().int() }).describe('px, upright');

export const itemReply = z.object({
  id: z.string(),
  object: z.string().optional().describe('what the photograph shows'),
  title: z.string().optional(),
  rights: z.string().optional(),
  link: z.string().optional().describe('a page about it; http or https'),
  accession: z.string().optional().describe('its number in the inventory'),
  columns: z.record(z.string(), z.string()).describe('what else the collection says of it'),
  image: z.string().describe('a JPEG of it, at most 1600 px; relative to the address of the service'),
  thumbnail: z.string().describe('a JPEG of it, at most 320 px'),
});
export type ItemReply = z.infer<typeof itemReply>;

const resultReply = itemReply.extend({
  similarity: z.number().describe('dot product of the unit descriptors, at most 1'),
  agreeing: z.number().int().optional().describe('keypoints that agree with the query; with rerank=sift'),
  regions: z
    .object({ query: box, item: box, itemSize: sides })
    .optional()
    .describe('the part that query and photograph have in common; with rerank'),
});
export type ResultReply = z.infer<typeof resultReply>;

export const searchReply = z.object({
  found: z.boolean().nullable().describe('whether the collection has it; null where it has no threshold'),
  evidence: z
    .number()
    .nullable()
    .describe('probability that the collection has it; a similarity where it learned none'),
  threshold: z.number().nullable().describe('evidence from which on something counts as found'),
  size: sides.describe('of the query, px, upright'),
  objects: z
    .array(z.object({ object: z.string().nullable(), results: z.array(resultReply) }))
    .describe('results by the object that they show, best first'),
  ms: z.object({ describe: z.number(), search: z.number(), verify: z.number().optional() }),
});
export type SearchReply = z.infer<typeof searchReply>;

export const collectionReply = z.object({
  name: z.string(),
  photographs: z.number().int(),
  threshold: z.number().nullable(),
  thresholdPhotographs: z
    .number()
    .int()
    .describe('nearest photographs of an object whose mean similarity is compared with the threshold'),
  columns: z
    .array(z.object({ name: z.string(), values: z.array(z.string()) }))
    .describe('columns to filter by, with their first 1,000 values'),
});
export type CollectionReply = z.infer<typeof collectionReply>;

export const healthReply = z.object({ status: z.literal('ok') });

export const errorReply = z.object({
  error: z.string().describe('why, in a line'),
  request: z.string().describe('the number of the request, as in the log and in the header X-Request-Id'),
});
