/**
 * @file Unpacks an archive that a stranger made: .tar, .tar.gz, .tgz by tar-stream, .zip by yauzl, told apart by their
 * first bytes. Nothing leaves the folder, links and devices are refused, nothing is written twice, and what comes out is
 * bounded by what went in, so that neither a path nor a bomb does harm.
 */
import { createReadStream } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import zlib from 'node:zlib';
import tar from 'tar-stream';
import yauzl, { type Entry, type ZipFile } from 'yauzl';
import { makeFolder } from './files.js';
import { InputError, messageOf, systemErrorLine } from '../errors.js';
import { shown } from '../models/weights/bytes.js';
import { refuseOddPaxRecords } from './pax-records.js';

export interface ExtractOptions {
  /** Most bytes that may come out. Default: 1 MiB and 200 times the archive; photographs hardly compress. */
  maxBytes?: number;
  /** Most files that may come out. Default 2 million. */
  maxFiles?: number;
  signal?: AbortSignal;
  /** Called with the number of files so far. */
  onFile?: (files: number) => void;
}

export interface Extracted {
  files: number;
  bytes: number;
}

/**
 * Unpacks `archive` into `folder`, which should be new. @throws InputError naming the archive: no archive, truncated,
 * damaged, too large, or an entry that is refused (named). What was written before stays; remove the folder.
 */
export async function extractArchive(
  archive: string,
  folder: string,
  { maxBytes, maxFiles = 2_000_000, signal, onFile }: ExtractOptions = {},
): Promise<Extracted> {
  const kind = await kindOf(archive);
  const limit = maxBytes ?? 2 ** 20 + 200 * (await stat(archive)).size;
  const writer = new EntryWriter(folder, { limit, maxFiles, signal, onFile });
  try {
    await makeFolder(folder);
    await (kind === 'zip' ? extractZip(archive, writer) : extractTar(archive, writer, kind === 'gzip'));
  } catch (error) {
    if (signal?.aborted) throw new InputError(`Stopped while unpacking ${archive}; the same command starts it again.`);
    if (error instanceof RefusedEntry) throw new InputError(`${archive}: ${error.message}; nothing of it is used.`);
    // What the system refuses says nothing about the archive.
    if (systemErrorLine(error) !== undefined) {
      throw new InputError(`Cannot unpack ${archive} into ${folder}: ${systemErrorLine(error)}`);
    }
    throw new InputError(`${archive} is damaged or incomplete (${messageOf(error)}); download it again.`);
  }
  return { files: writer.files, bytes: writer.bytes };
}

class RefusedEntry extends Error {}

/** Writes the files of an archive below one folder, and counts. */
class EntryWriter {
  files = 0;
  bytes = 0;

  constructor(
    private readonly folder: string,
    private readonly bounds: { limit: number; maxFiles: number } & Pick<ExtractOptions, 'signal' | 'onFile'>,
  ) {}

  async directory(name: string): Promise<void> {
    await this.makeFolder(safePath(name, this.folder), name);
  }

  /** `content` is read to its end or destroyed by the error. */
  async file(name: string, content: Readable | AsyncIterable<Uint8Array>, crc32?: number): Promise<void> {
    const path = safePath(name, this.folder);
    if (++this.files > this.bounds.maxFiles) throw new RefusedEntry(`it has more than ${this.bounds.maxFiles} files`);
    await this.makeFolder(dirname(path), name);
    let crc = 0;
    const out = await open(path, 'wx').catch((error: unknown) => {
      const { code } = error as NodeJS.ErrnoException;
      throw code === 'EEXIST' || code === 'EISDIR' ? new RefusedEntry(`its entry ${shown(name)} occurs twice`) : error;
    });
    try {
      for await (const chunk of content as AsyncIterable<Uint8Array>) {
        this.bounds.signal?.throwIfAborted();
        this.bytes += chunk.byteLength;
        if (this.bytes > this.bounds.limit) {
          throw new RefusedEntry(`it unpacks to more than ${this.bounds.limit} bytes, far more than photographs would`);
        }
        if (crc32 !== undefined && typeof zlib.crc32 === 'function') crc = zlib.crc32(chunk, crc);
        await out.writeFile(chunk);
      }
    } finally {
      await out.close();
    }
    // zlib.crc32 came with Node 20.15
    if (crc32 !== undefined && typeof zlib.crc32 === 'function' && crc !== crc32) {
      throw new Error(`the checksum of ${shown(name)} is wrong`);
    }
    this.bounds.onFile?.(this.files);
  }

  private async makeFolder(path: string, name: string): Promise<void> {
    await makeFolder(path).catch((error: unknown) => {
      const { code } = error as NodeJS.ErrnoException;
      throw code === 'EEXIST' || code === 'ENOTDIR'
        ? new RefusedEntry(`its entry ${shown(name)} lies in a file`)
        : error;
    });
  }
}

refuseOddPaxRecords();

async function extractTar(archive: string, writer: EntryWriter, gzipped: boolean): Promise<void> {
  const source = createReadStream(archive, { highWaterMark: 1 << 18 });
  const extract = tar.extract();
  const plain: Readable = gzipped ? source.pipe(zlib.createGunzip()) : source;
  for (const stream of new Set([source, plain])) stream.on('error', (error: Error) => extract.destroy(error));
  plain.pipe(extract);
  try {
    for await (const entry of extract) {
      const { name, type, size } = entry.header;
      // tar-stream would wait for such an end for ever
      if (!Number.isSafeInteger(size) || size! < 0) throw new Error(`its entry ${shown(name)} has the size ${size}`);
      if (type === 'directory') await writer.directory(name);
      else if (type === 'file' || type === 'contiguous-file') await writer.file(name, entry);
      else
        throw new RefusedEntry(`its entry ${shown(name)} is a ${type ?? 'thing'}, only files and folders are unpacked`);
      entry.resume();
    }
  } finally {
    source.destroy();
    plain.destroy();
  }
}

async function extractZip(archive: string, writer: EntryWriter): Promise<void> {
  const zip: ZipFile = await yauzl.openPromise(archive, { lazyEntries: true, autoClose: false });
  try {
    for await (const entry of zip.eachEntry() as AsyncIterable<Entry>) {
      const name = entry.fileName;
      const fileType = (entry.externalFileAttributes >>> 16) & 0o170000; // Unix mode; 0 from other systems
      if (fileType !== 0 && fileType !== 0o100000 && fileType !== 0o040000) {
        throw new RefusedEntry(`its entry ${shown(name)} is a link or a device, only files and folders are unpacked`);
      }
      if (entry.generalPurposeBitFlag & 1) throw new RefusedEntry(`its entry ${shown(name)} is encrypted`);
      if (name.endsWith('/')) await writer.directory(name);
      else await writer.file(name, await openEntry(zip, entry), entry.crc32);
    }
  } catch (error) {
    // yauzl refuses such names itself, with messages of these beginnings
    throw /^(absolute path|invalid relative path|invalid characters)/.test(messageOf(error))
      ? new RefusedEntry(`it has an entry with an ${messageOf(error).slice(0, 120)}`)
      : error;
  } finally {
    zip.close();
  }
}

/** The contents of an entry; an error before they are read is kept for who reads them. */
function openEntry(zip: ZipFile, entry: Entry): Promise<Readable> {
  return new Promise((resolve, reject) => {
    zip.openReadStream(entry, (error, stream) => {
      if (error !== null) return reject(error);
      stream.on('error', (failure) => stream.destroy(failure)); // yauzl only says it
      resolve(stream);
    });
  });
}

/** Where an entry goes below `folder`; a name that could mean another place is refused. */
function safePath(name: string, folder: string): string {
  const parts = name.split('/').filter((part, i) => part !== '' || i === 0);
  const inside = parts.filter((part) => part !== '.');
  // oxlint-disable-next-line no-control-regex
  const odd = /[\u0000-\u001f\u007f\\]/.test(name) || /^[a-z]:/i.test(name) || name.length > 1024;
  if (odd || name.startsWith('/') || inside.includes('..')) {
    throw new RefusedEntry(`its entry ${shown(name)} leads out of the folder or has an odd name`);
  }
  return join(folder, ...inside.filter((part) => part !== ''));
}

async function kindOf(archive: string): Promise<'zip' | 'gzip' | 'tar'> {
  const head = Buffer.alloc(265);
  try {
    const file = await open(archive);
    try {
      await file.read(head, 0, head.length, 0);
    } finally {
      await file.close();
    }
  } catch (error) {
    throw new InputError(`Cannot read ${archive}: ${messageOf(error)}`);
  }
  if (head[0] === 0x1f && head[1] === 0x8b) return 'gzip';
  if (head.toString('latin1', 0, 2) === 'PK') return 'zip';
  if (head.toString('latin1', 257, 262) === 'ustar') return 'tar';
  throw new InputError(`${archive} is no .tar, .tar.gz or .zip; perhaps the server sent a page instead of the file.`);
}
