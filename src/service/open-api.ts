/** @file The description of the service for programs: OpenAPI 3.1, from the schemas that requests are read by. */
import { createRequire } from 'node:module';
import { z } from 'zod';
import type { ServiceLimits } from './limits.js';
import { collectionReply, errorReply, healthReply, itemReply, searchReply } from './replies.js';
import { boxSchema, termsSchema } from './search-request.js';

const { version } = createRequire(import.meta.url)('../../package.json') as { version: string };

const schemas = {
  Collection: collectionReply,
  Item: itemReply,
  Search: searchReply,
  Health: healthReply,
  Error: errorReply,
};

const refusals: Readonly<Record<number, string>> = {
  400: 'a field or the photograph cannot be used',
  401: 'the token is missing or wrong',
  404: 'the collection has no such photograph',
  413: 'the upload has too many bytes, or the photograph too many pixels',
  415: 'no photograph: SVG, PDF and others',
  421: 'asked by a name that the service is not known by',
  429: 'too many searches at once',
  503: 'not answered in time, or the collection cannot be read now',
};

/** The description as JSON. */
export function openApi(limits: Required<ServiceLimits>): object {
  const terms = termsSchema(limits).extend({ box: boxSchema.optional() });
  const { properties: fields = {} } = z.toJSONSchema(terms, { io: 'input' });
  const query = (names: readonly string[]) =>
    names.map((name) => ({ in: 'query', name, schema: fields[name], explode: true }));
  const id = { in: 'path', name: 'id', required: true, schema: { type: 'string' }, description: 'percent-encoded' };
  const termNames = Object.keys(fields);
  const image = { type: 'string', format: 'binary', description: 'JPEG, PNG, WebP, TIFF, GIF or AVIF' };
  const picture = (summary: string) => ({
    get: operation(summary, { content: { 'image/jpeg': {} } }, [400, 401, 404, 429], [id]),
  });
  return {
    openapi: '3.1.0',
    info: {
      title: 'rmac',
      version,
      description: `Search in a collection of photographs by a photograph: at most ${limits.megabytes} MB and ${limits.megapixels} megapixels.`,
    },
    servers: [{ url: '.' }],
    security: [{}, { token: [] }],
    paths: {
      '/search': {
        post: {
          ...operation(
            'Finds what a photograph shows',
            json('Search'),
            [400, 401, 413, 415, 429, 503],
            query(termNames),
          ),
          requestBody: {
            required: true,
            content: {
              'multipart/form-data': {
                schema: { type: 'object', required: ['image'], properties: { image, ...fields } },
              },
              'image/*': { schema: image },
            },
          },
        },
      },
      '/similar/{id}': {
        get: operation(
          'Finds what a photograph of the collection shows',
          json('Search'),
          [400, 401, 404, 429, 503],
          [id, ...query(termNames.filter((name) => name !== 'box'))],
        ),
      },
      '/items/{id}': { get: operation('What is known of a photograph', json('Item'), [401, 404], [id]) },
      '/items/{id}/image': picture('The photograph, at most 1600 px'),
      '/items/{id}/thumbnail': picture('The photograph, at most 320 px'),
      '/collection': { get: operation('Name, size, filters and limits', json('Collection'), [401]) },
      '/health': { get: operation('Whether the service answers', json('Health'), []) },
      '/metrics': { get: operation("Counts in Prometheus' text", { content: { 'text/plain': {} } }, [401]) },
    },
    components: {
      schemas: Object.fromEntries(Object.entries(schemas).map(([name, schema]) => [name, z.toJSONSchema(schema)])),
      securitySchemes: { token: { type: 'http', scheme: 'bearer' } },
    },
  };
}

function json(name: keyof typeof schemas): { content: object } {
  return { content: { 'application/json': { schema: { $ref: `#/components/schemas/${name}` } } } };
}

function operation(
  summary: string,
  answer: { content: object },
  statuses: readonly number[],
  parameters: readonly object[] = [],
) {
  const refused = [...statuses, 421].map((status) => [status, { description: refusals[status], ...json('Error') }]);
  return {
    summary,
    parameters,
    responses: { 200: { description: 'The answer', ...answer }, ...Object.fromEntries(refused) },
  };
}
