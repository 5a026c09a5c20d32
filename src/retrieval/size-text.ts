/** @file The size at which images were described, in words, for tables: figures at different sizes do not compare. */
import type { ImageSizing } from '../data/images.js';

/** "512 px", "at most 1024 px", "as they are", "512 px in whole 32 px". */
export function sizeText({ longest, shortest, upscale = true, multipleOf = 1 }: ImageSizing): string {
  const side =
    longest !== 'none'
      ? `${upscale ? '' : 'at most '}${longest} px`
      : shortest === undefined
        ? 'as they are'
        : `shorter side ${shortest} px`;
  return multipleOf === 1 ? side : `${side} in whole ${multipleOf} px`;
}

/** The same of a published system, whose sides are several. */
export function sidesText(sides: readonly number[], upscale: boolean): string {
  return `${upscale ? '' : 'at most '}${sides.join(', ')} px`;
}

/** Whether the main sides that such texts name differ. */
export function sizesDiffer(texts: readonly string[]): boolean {
  return new Set(texts.map((text) => /\d+/.exec(text)?.[0] ?? text)).size > 1;
}
