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

/** Serves the page at /. */
export async function addPage(app: Hono): Promise<void> {
  for (const [name, type] of Object.entries(types)) {
    const bytes = await readFile(new URL(`./page/${name}`, import.meta.url));
    const etag = `"${createHash('sha256').update(bytes).digest('base64url')}"`;
    app.get(name === 'index.html' ? '/' : `/${name}`, (c) => {
      c.header('ETag', etag);
      c.header('Cache-Control', 'no-cache');
      if (c.req.header('if-none-match') === etag) return c.body(null, 304);
      return c.body(new Uint8Array(bytes), 200, { 'Content-Type': type });
    });
  }
}
