/** @file Requests to the search service, sound ones and what somebody may make of them; the same seed gives the same bytes. */
import type { RandomStream } from '../../src/train/random.js';
import { damaged } from './mutate.js';

const paths = [
  '/',
  '/health',
  '/collection',
  '/metrics',
  '/openapi.json',
  '/page.js',
  '/search?k=3',
  '/items/rings%2F0',
  '/items/rings%2F0/thumbnail',
  '/similar/rings%2F0?k=2&where=a%3Db&rerank=no',
];

const oddPieces = [
  '..',
  '../../../../../../etc/passwd',
  '..%2f..%2f..%2fetc%2fpasswd',
  '%2e%2e/%2e%2e/secret.txt',
  '..\\..\\secret.txt',
  '/etc/passwd',
  'file:///etc/passwd',
  'C:\\Windows\\win.ini',
  '%00',
  '%ff%fe',
  '%',
  '__proto__',
  'constructor',
  '//',
  '?',
  '#',
  '*',
  '\u00e9\u{1f3db}',
  'http://127.0.0.1:1/x',
  'a'.repeat(5000),
  '%2525252e',
  '{"$ne":1}',
  "' or 1=1 --",
];

const oddHeaders = [
  'Content-Length: -1',
  'Content-Length: 99999999999999999999',
  'Content-Length: 5',
  'Content-Length: 5\r\nContent-Length: 6',
  'Transfer-Encoding: chunked',
  'Transfer-Encoding: gzip, chunked',
  'Transfer-Encoding : chunked',
  'Content-Encoding: gzip',
  'Content-Type: multipart/form-data',
  'Content-Type: multipart/form-data; boundary=',
  'Content-Type: multipart/form-data; boundary="a',
  `Content-Type: multipart/form-data; boundary=${'b'.repeat(3000)}`,
  'Content-Type: application/x-www-form-urlencoded',
  'Content-Type: \u00ff',
  'Host:',
  'Host: a b',
  'Host: evil.example:99999',
  'Host: [::1',
  'Expect: 100-continue',
  'Expect: 200-ok',
  'Upgrade: websocket\r\nConnection: Upgrade',
  'Connection: close, \u0001',
  'X-Request-Id: a\tb',
  `X-Request-Id: ${'c'.repeat(300)}`,
  'Authorization: Bearer',
  'Cookie: rmac-session=%00',
  'If-None-Match: *',
  'Range: bytes=0-99999999',
  `X-Long: ${'d'.repeat(20_000)}`,
  'No colon',
  ': no name',
];

const methods = [
  'GET',
  'POST',
  'HEAD',
  'PUT',
  'DELETE',
  'OPTIONS',
  'TRACE',
  'CONNECT',
  'PROPFIND',
  'get',
  'G T',
  '\u0000',
  '',
];

const oddFields = [
  ['k', '-1'],
  ['k', '1e9'],
  ['box', '0,0,0,0'],
  ['box', '1,1,NaN,5'],
  ['box', '0,0,99999,99999'],
  ['where', '='],
  ['where', '__proto__=x'],
  ['where', 'path=../../etc/passwd'],
  ['rerank', '__proto__'],
  ['qe', 'aqe:999999999'],
  ['qe', 'alpha:1e308:3'],
  ['image', '/etc/passwd'],
] as const;

/** A form with a photograph and fields; `cut` is what the parts are told apart by. */
function form(
  photograph: Buffer,
  fields: readonly (readonly [string, string])[],
  cut: string,
  fileName: string,
): Buffer {
  const parts = fields.map(([name, value]) =>
    Buffer.from(`--${cut}\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`),
  );
  const head = `--${cut}\r\nContent-Disposition: form-data; name="image"; filename="${fileName}"\r\nContent-Type: image/png\r\n\r\n`;
  return Buffer.concat([...parts, Buffer.from(head), photograph, Buffer.from(`\r\n--${cut}--\r\n`)]);
}

/** One request as bytes of a connection. `photograph`: an encoded image. */
export function mutatedRequest(photograph: Buffer, random: RandomStream): Buffer {
  const one = <T>(of: readonly T[]): T => of[random.below(of.length)];
  const happens = (share: number) => random.next() < share;

  let method = 'GET';
  let path = one(paths);
  let headers: string[] = ['Host: 127.0.0.1', 'Connection: close'];
  let body: Buffer = Buffer.alloc(0);
  if (happens(0.5)) {
    method = 'POST';
    path = '/search';
    const image = happens(0.5) ? damaged(photograph, 'photograph.png', random) : photograph;
    if (happens(0.7)) {
      const fields = [...(happens(0.5) ? [one(oddFields)] : []), ...(happens(0.2) ? [one(oddFields)] : [])];
      body = form(image, fields, 'cut', one(['x.png', '../../x', '"; name="k', '\u0000', '']));
      headers.push('Content-Type: multipart/form-data; boundary=cut');
    } else {
      const [name, value] = one(oddFields);
      body = image;
      if (happens(0.5)) path += `?${name}=${encodeURIComponent(value)}`;
    }
    if (happens(0.2)) body = damaged(body, 'form', random);
    headers.push(`Content-Length: ${body.length}`);
  }
  if (happens(0.25)) method = one(methods);
  if (happens(0.3)) {
    const at = random.below(path.length + 1);
    path = `${path.slice(0, at)}${one(oddPieces)}${path.slice(at)}`;
  }
  if (happens(0.1)) path = one(oddPieces);
  if (happens(0.4)) headers.splice(random.below(headers.length + 1), 0, one(oddHeaders));
  if (happens(0.1)) headers.splice(random.below(headers.length), 1);
  if (happens(0.02)) headers = headers.concat(Array.from({ length: 3000 }, (_, i) => `X-${i}: ${i}`));
  const version = happens(0.05) ? one(['HTTP/1.0', 'HTTP/2.0', 'HTTP/9', '']) : 'HTTP/1.1';
  const head = Buffer.from(`${method} ${path} ${version}\r\n${headers.join('\r\n')}\r\n\r\n`);
  const whole = Buffer.concat([head, body]);
  return happens(0.15) ? damaged(whole, 'request', random) : whole;
}
