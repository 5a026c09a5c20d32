/** @file Size of an image file without decoding it. */
import sharp from 'sharp';
import { InputError, messageOf } from '../errors.js';

/** Sides in px with the EXIF orientation applied: those that a manifest's boxes refer to. */
export async function uprightSize(path: string): Promise<{ width: number; height: number }> {
  try {
    const { autoOrient } = await sharp(path).metadata();
    return { width: autoOrient.width, height: autoOrient.height };
  } catch (error) {
    throw new InputError(`${path}: cannot be read: ${messageOf(error)}.`);
  }
}
