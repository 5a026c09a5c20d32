/**
 * @file Who may ask: those who have the token. Programs send it with every request; the page exchanges it once for a cookie, which
 * the browser also sends for pictures, and which scripts cannot read.
 */
import { createHmac, timingSafeEqual } from 'node:crypto';
import type { Context, MiddlewareHandler } from 'hono';
import { getCookie, setCookie } from 'hono/cookie';
import { HTTPException } from 'hono/http-exception';

const cookie = 'rmac-session';
const refusal = 'This service asks for its token: send "Authorization: Bearer <token>".';

/** Refuses with 401 who has neither the token nor the cookie of `openSession`. */
export function requireToken(token: string): MiddlewareHandler {
  return async (c, next) => {
    if (!hasToken(c, token) && !sameText(getCookie(c, cookie) ?? '', sessionOf(token))) throw unauthorized();
    await next();
  };
}

/** Gives the cookie to who sends the token. */
export function openSession(c: Context, token: string): Response {
  if (!hasToken(c, token)) throw unauthorized();
  const secure = c.req.header('x-forwarded-proto') === 'https';
  setCookie(c, cookie, sessionOf(token), { httpOnly: true, sameSite: 'Strict', secure, path: '/' });
  return c.body(null, 204);
}

function hasToken(c: Context, token: string): boolean {
  const [, sent = ''] = /^Bearer +(.*)$/i.exec(c.req.header('authorization') ?? '') ?? [];
  return sameText(sent, token);
}

/** Follows from the token, so that it outlives the process, and does not tell it. */
function sessionOf(token: string): string {
  return createHmac('sha256', token).update('rmac session').digest('base64url');
}

/** In a time that does not depend on how much of them is the same. */
function sameText(a: string, b: string): boolean {
  const digest = (text: string) => createHmac('sha256', 'equal').update(text).digest();
  return timingSafeEqual(digest(a), digest(b));
}

function unauthorized(): HTTPException {
  const headers = { 'WWW-Authenticate': 'Bearer' };
  return new HTTPException(401, { message: refusal, res: new Response(null, { status: 401, headers }) });
}
