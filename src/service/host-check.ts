/**
 * @file By which name the service is asked. A stranger's page can give its own name the address of this machine (DNS rebinding) and read the
 * collection in a visitor's browser, which takes it for a part of that page; but its requests carry the stranger's name.
 */
import { isIP } from 'node:net';
import type { MiddlewareHandler } from 'hono';
import { HTTPException } from 'hono/http-exception';

/** Refuses with 421 what is asked under another name than `localhost`, an address in numbers, or one of `names`. */
export function requireHost(names: readonly string[]): MiddlewareHandler {
  const known = new Set(['localhost', ...names.map(plainName)]);
  return async (c, next) => {
    const [, name = ''] = /^(\[[^\]]*\]|[^:]*)(?::\d*)?$/.exec(c.req.header('host') ?? '') ?? [];
    if (isIP(name.replace(/^\[|\]$/g, '')) === 0 && !known.has(plainName(name))) {
      throw new HTTPException(421, {
        message: 'This service is not known by this name: ask by its address in numbers, or start it with --host-name.',
      });
    }
    await next();
  };
}

function plainName(name: string): string {
  return name.toLowerCase().replace(/\.$/, '');
}
