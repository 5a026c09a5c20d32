/**
 * @file Local features on disk, one binary file per image, so that a pair never waits for a detector twice. Files are named by the image's
 * content and the detector's options, written whole or not at all, and together never larger than a limit.
 *
 * A file: "RMACFEAT", then little-endian uint32 version, count, width, height; frames [N, 6] and responses [N] float32; descriptors [N, 128] uint8.
 */
import { createHash, randomBytes } from 'node:crypto';
import { readdir, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { makeFolder } from '../../data/files.js';
import { InputError, messageOf } from '../../errors.js';
import { descriptorLength, type Features, frameLength } from './features.js';
import { writeFailure } from '../../data/write-failure.js';

const magic = 'RMACFEAT';
const version = 1;
const headerBytes = magic.length + 4 * 4;
const bytesPerFeature = 4 * (frameLength + 1) + descriptorLength;

// A killed run leaves its temporary file; no run takes that long to write one.
const abandonedAfter = 600_000; // ms

/** As a file holds them. */
export function encodeFeatures({ count, width, height, frames, responses, descriptors }: Features): Uint8Array {
  const bytes = new Uint8Array(headerBytes + count * bytesPerFeature);
  bytes.set(Buffer.from(magic, 'latin1'));
  new Uint32Array(bytes.buffer, magic.length, 4).set([version, count, width, height]);
  const numbers = new Float32Array(bytes.buffer, headerBytes, count * (frameLength + 1));
  numbers.set(frames.subarray(0, count * frameLength));
  numbers.set(responses.subarray(0, count), count * frameLength);
  bytes.set(descriptors.subarray(0, count * descriptorLength), headerBytes + 4 * numbers.length);
  return bytes;
}

/** The features of a file's bytes; undefined where they are damaged or another version's. */
export function decodeFeatures(file: Uint8Array): Features | undefined {
  if (file.length < headerBytes || Buffer.from(file.subarray(0, magic.length)).toString('latin1') !== magic)
    return undefined;
  const bytes = new Uint8Array(file); // aligned
  const [format, count, width, height] = new Uint32Array(bytes.buffer, magic.length, 4);
  if (format !== version || bytes.length !== headerBytes + count * bytesPerFeature) return undefined;
  const responses = headerBytes + 4 * count * frameLength;
  const descriptors = responses + 4 * count;
  return {
    count,
    width,
    height,
    frames: new Float32Array(bytes.buffer, headerBytes, count * frameLength),
    responses: new Float32Array(bytes.buffer, responses, count),
    descriptors: new Uint8Array(bytes.buffer, descriptors, count * descriptorLength),
  };
}

export interface FeatureCacheOptions {
  /** What the features depend on besides the image. */
  settings: Readonly<Record<string, string>>;
  /** All files together; beyond it those that were not used for longest go. Default 8 GiB. */
  maxBytes?: number;
}

/** Features by the hash of an image's content. */
export class FeatureCache {
  readonly #folder: string;
  readonly #suffix: string;
  readonly #maxBytes: number;
  /** Bytes by file name, least recently used first. */
  readonly #sizes: Map<string, number>;
  #total: number;

  private constructor(folder: string, suffix: string, maxBytes: number, sizes: Map<string, number>) {
    this.#folder = folder;
    this.#suffix = suffix;
    this.#maxBytes = maxBytes;
    this.#sizes = sizes;
    this.#total = [...sizes.values()].reduce((sum, bytes) => sum + bytes, 0);
  }

  /** Opens or begins the cache in `folder`; it may be shared by runs at the same time. */
  static async open(folder: string, { settings, maxBytes = 8 * 2 ** 30 }: FeatureCacheOptions): Promise<FeatureCache> {
    try {
      await makeFolder(folder);
      const files: { name: string; bytes: number; usedAt: number }[] = [];
      for (const name of await readdir(folder)) {
        const found = await stat(join(folder, name)).catch(() => undefined); // another run may have removed it
        if (name.endsWith('.tmp') && found !== undefined && Date.now() - found.mtimeMs > abandonedAfter) {
          await rm(join(folder, name), { force: true });
        }
        if (name.endsWith('.features') && found !== undefined)
          files.push({ name, bytes: found.size, usedAt: found.mtimeMs });
      }
      files.sort((x, y) => x.usedAt - y.usedAt || (x.name < y.name ? -1 : 1));
      const entries = Object.entries(settings).toSorted(([x], [y]) => (x < y ? -1 : 1));
      const suffix = createHash('sha256').update(JSON.stringify(entries)).digest('hex').slice(0, 8);
      return new FeatureCache(folder, suffix, maxBytes, new Map(files.map(({ name, bytes }) => [name, bytes])));
    } catch (error) {
      throw new InputError(`Cannot use ${folder} for features: ${messageOf(error)}`);
    }
  }

  /** The file of an image's features, there or not. */
  fileOf(key: string): string {
    return join(this.#folder, this.#nameOf(key));
  }

  has(key: string): boolean {
    return this.#sizes.has(this.#nameOf(key));
  }

  /** Undefined where they are not there, or damaged: describe the image again. */
  async get(key: string): Promise<Features | undefined> {
    const name = this.#nameOf(key);
    const bytes = await readFile(join(this.#folder, name)).catch(() => undefined);
    const features = bytes && decodeFeatures(bytes);
    if (features === undefined) {
      this.#forget(name);
      return undefined;
    }
    this.#remember(name, features.count * bytesPerFeature + headerBytes);
    const now = new Date();
    await utimes(join(this.#folder, name), now, now).catch(() => undefined);
    return features;
  }

  /** @throws InputError where the disk is full. */
  async put(key: string, features: Features): Promise<void> {
    const name = this.#nameOf(key);
    const bytes = encodeFeatures(features);
    const temporary = join(this.#folder, `.${name}.${randomBytes(4).toString('hex')}.tmp`);
    try {
      await writeFile(temporary, bytes);
      await rename(temporary, join(this.#folder, name));
    } catch (error) {
      await rm(temporary, { force: true });
      throw writeFailure(join(this.#folder, name), error);
    }
    this.#remember(name, bytes.length);
    for (const [oldest] of this.#sizes) {
      if (this.#total <= this.#maxBytes || oldest === name) break;
      await rm(join(this.#folder, oldest), { force: true });
      this.#forget(oldest);
    }
  }

  #nameOf(key: string): string {
    return `${key}-${this.#suffix}.features`;
  }

  #remember(name: string, bytes: number): void {
    this.#forget(name);
    this.#sizes.set(name, bytes);
    this.#total += bytes;
  }

  #forget(name: string): void {
    this.#total -= this.#sizes.get(name) ?? 0;
    this.#sizes.delete(name);
  }
}
