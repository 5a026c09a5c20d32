/** @file The page: files beside this one, read once. */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { Hono } from 'hono';

const types = {
  'index.html': 'text/html; charset=utf-8',
  'page.css': 'text/css; charset=utf-8',
  'page.js': 'text/javascript; charset=utf-8',
  'query.js': 'text/javascript; charset=utf-8',
  'results.js': 'text/javascript; charset=utf-8',
  'service.js': 'text/javascript; charset=utf-8',
} as const;

export const pageNames = Object.keys(types);

/** The bytes of a file of the page, `site/` ones too. What the build makes of `library.ts` is in dist/, for the source tree as well. */
export function pageFile(name: string): Promise<Buffer> {
  const folder = name === 'site/library.js' ? '../../dist/service/page/' : './page/';
  return readFile(new URL(folder + name, import.meta.url));
}

/** Serves the page at /. */
export async function addPage(app: Hono): Promise<void> {
  for (const [name, type] of Object.entries(types)) {
    const bytes = await pageFile(name);
    const etag = `"${createHash('sha256').update(bytes).digest('base64url')}"`;
    app.get(name === 'index.html' ? '/' : `/${name}`, (c) => {
      c.header('ETag', etag);
      c.header('Cache-Control', 'no-cache');
      if (c.req.header('if-none-match') === etag) return c.body(null, 304);
      return c.body(new Uint8Array(bytes), 200, { 'Content-Type': type });
    });
  }
}
