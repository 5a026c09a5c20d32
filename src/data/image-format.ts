/**
 * @file Which files are photographs, by their first bytes. Only these formats reach the decoder: libvips also reads SVG
 * and other formats that can name further files or draw without end, and a photograph is never one of those.
 */

import { open, stat } from 'node:fs/promises';
import { InputError, messageOf } from '../errors.js';

export const photographFormats = 'JPEG, PNG, WebP, TIFF, GIF or AVIF';

/** How many bytes `unfitReason` looks at. */
const signatureLength = 32;

/** Extensions of files that someone meant to be an image, also of formats that cannot be decoded. */
const imageExtension =
  /\.(jpe?g|jpe|jfif|png|webp|tiff?|gif|avif|heic|heif|bmp|svg|jp2|jxl|psd|ppm|pgm|tga|cr2|cr3|nef|arw|dng)$/i;

/** True where the name says image, whatever the bytes say. */
export function hasImageName(name: string): boolean {
  return imageExtension.test(name);
}

/** The name without an image's extension; any other name as it is. */
export function stripImageExtension(name: string): string {
  return name.replace(imageExtension, '');
}

/** Why a file with this beginning is no photograph that can be decoded; undefined if it is one. */
export function unfitReason(head: Uint8Array): string | undefined {
  const text = Buffer.from(head.buffer, head.byteOffset, Math.min(head.length, signatureLength)).toString('latin1');
  if (text.length === 0) return 'the file is empty';
  if (text.startsWith('\xff\xd8\xff') || text.startsWith('\x89PNG\r\n\x1a\n') || text.startsWith('GIF8'))
    return undefined;
  if (text.startsWith('RIFF') && text.slice(8, 12) === 'WEBP') return undefined;
  if (/^(II[*+]\0|MM\0[*+])/.test(text)) return undefined;
  if (text.slice(4, 8) === 'ftyp') {
    const brands = text.slice(8);
    if (/avif|avis/.test(brands)) return undefined;
    if (/hei[cxms]|hev[cxms]|mif1|msf1/.test(brands)) return 'HEIC cannot be decoded here; convert it to JPEG';
  }
  return `not a photograph; expected ${photographFormats}`;
}

/** `unfitReason` of a regular file; a pipe or a device would block. Throws `InputError` where there is none or it cannot be read. */
export async function unfitFile(path: string): Promise<string | undefined> {
  try {
    if (!(await stat(path)).isFile()) throw new InputError(`${path}: expected an image file, this is none.`);
    const file = await open(path);
    try {
      const { buffer, bytesRead } = await file.read(Buffer.alloc(signatureLength), 0, signatureLength, 0);
      return unfitReason(buffer.subarray(0, bytesRead));
    } finally {
      await file.close();
    }
  } catch (error) {
    if (error instanceof InputError) throw error;
    const missing = (error as NodeJS.ErrnoException).code === 'ENOENT';
    throw new InputError(missing ? `${path}: no such image file.` : `${path}: cannot be read: ${messageOf(error)}.`);
  }
}
