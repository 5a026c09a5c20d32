/**
 * @file Which files are photographs, by their first bytes, as libvips decides it (`vips_foreign_find_load`). Only these reach
 * a decoder; see raster-loaders.ts.
 */

import { type FileHandle, open, stat } from 'node:fs/promises';
import { InputError } from '../errors.js';

/** As sharp names them; AVIF is one of its `heif`. */
export type PhotographFormat = 'jpeg' | 'png' | 'webp' | 'tiff' | 'gif' | 'heif';

export const photographFormats = 'JPEG, PNG, WebP, TIFF, GIF or AVIF';

/** How many bytes `unfitReason` looks at. */
const signatureLength = 64;

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

/** The format whose decoder libvips chooses for a file with this beginning; undefined if that is none of a photograph's. */
export function photographFormat(head: Uint8Array): PhotographFormat | undefined {
  const text = latin1(head);
  if (text.startsWith('\xff\xd8\xff')) return 'jpeg';
  if (text.startsWith('\x89PNG\r\n\x1a\n')) return 'png';
  if (text.startsWith('GIF8')) return 'gif';
  if (text.startsWith('RIFF') && text.slice(8, 12) === 'WEBP') return 'webp';
  if (/^(II[*+]\0|MM\0[*+])/.test(text)) return 'tiff';
  const brands = heifBrands(text);
  return /^(avif|mif[123]|msf1)/.test(brands) && brands.includes('avif') ? 'heif' : undefined;
}

/** Why a file with this beginning is no photograph that can be decoded; undefined if it is one. */
export function unfitReason(head: Uint8Array): string | undefined {
  if (head.length === 0) return 'the file is empty';
  if (photographFormat(head) !== undefined) return undefined;
  if (/hei[cxms]|hev[cxms]|mif[123]|msf1/.test(heifBrands(latin1(head))))
    return 'HEIC cannot be decoded here; convert it to JPEG';
  return `not a photograph; expected ${photographFormats}`;
}

/** `unfitReason` of a regular file; a pipe or a device would block. @throws as `readImageFile`. */
export async function unfitFile(path: string): Promise<string | undefined> {
  return withFile(path, async (file) => {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(signatureLength), 0, signatureLength, 0);
    return unfitReason(buffer.subarray(0, bytesRead));
  });
}

/**
 * The bytes of an image file.
 * @throws InputError where there is none; what else the system refuses (too many open files, no permission, a failing
 *   disk) is thrown as it is, for it says nothing about the photograph.
 */
export async function readImageFile(path: string): Promise<Buffer> {
  return withFile(path, (file) => file.readFile());
}

async function withFile<T>(path: string, read: (file: FileHandle) => Promise<T>): Promise<T> {
  try {
    if (!(await stat(path)).isFile()) throw new InputError(`${path}: expected an image file, this is none.`);
    const file = await open(path);
    try {
      return await read(file);
    } finally {
      await file.close();
    }
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException;
    // the last one: a name with a zero byte
    const noSuchFile = ['ENOENT', 'ENOTDIR', 'ELOOP', 'ENAMETOOLONG', 'ERR_INVALID_ARG_VALUE'].includes(code);
    throw noSuchFile ? new InputError(`${path}: no such image file.`) : error;
  }
}

/** The brands of a HEIF file's first box, the major one first; libvips takes no box longer than 2048 bytes for one. */
function heifBrands(text: string): string {
  const length = Buffer.from(text.slice(0, 4), 'latin1').reduce((sum, byte) => 256 * sum + byte, 0);
  if (text.slice(4, 8) !== 'ftyp' || length > 2048 || length % 4 !== 0) return '';
  return text.slice(8, 12) + text.slice(16, length);
}

function latin1(head: Uint8Array): string {
  return Buffer.from(head.buffer, head.byteOffset, Math.min(head.length, signatureLength)).toString('latin1');
}
