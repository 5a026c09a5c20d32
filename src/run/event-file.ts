/** @file A TensorBoard event file. What was logged is with the system when a call returns, so a kill of the process loses nothing. */
import { closeSync, existsSync, mkdirSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { InputError, messageOf } from '../errors.js';
import { type EncodedPicture, encodeEvent, type EventContent } from './event-bytes.js';
import { histogramOf } from './histogram.js';
import type { SummaryLog } from './scalar-log.js';

export interface EventFileOptions {
  /** The run continues after this update: readers drop what earlier files say of later ones. */
  resumedAfter?: number;
  /** Milliseconds since 1970. */
  now?: () => number;
}

/** Opens a new file in `folder`, after those that are there. Its methods throw `InputError` when it cannot be written. */
export class EventFile implements SummaryLog {
  readonly path: string;
  private readonly file: number;
  private readonly now: () => number;

  constructor(folder: string, { resumedAfter, now = Date.now }: EventFileOptions = {}) {
    this.now = now;
    // Readers take files in the order of their names; two sessions may begin in one second.
    let stamp = Math.floor(now() / 1000);
    const pathOf = () => join(folder, `events.out.tfevents.${stamp}.rmac`);
    while (existsSync(pathOf())) stamp++;
    this.path = pathOf();
    this.file = this.attempt(() => {
      mkdirSync(folder, { recursive: true });
      return openSync(this.path, 'wx');
    });
    this.add({ kind: 'version' }, 0);
    if (resumedAfter !== undefined) this.add({ kind: 'start' }, resumedAfter + 1);
  }

  scalar(tag: string, value: number, step: number): void {
    this.add({ kind: 'scalar', tag, value }, step);
  }

  histogram(tag: string, values: Float32Array, step: number): void {
    this.add({ kind: 'histogram', tag, histogram: histogramOf(values) }, step);
  }

  image(tag: string, picture: EncodedPicture, step: number): void {
    this.add({ kind: 'image', tag, picture }, step);
  }

  flush(): void {
    // nothing is held back
  }

  close(): void {
    closeSync(this.file);
  }

  private add(content: EventContent, step: number): void {
    const bytes = encodeEvent(content, { step, seconds: this.now() / 1000 });
    this.attempt(() => {
      for (let written = 0; written < bytes.length; ) written += writeSync(this.file, bytes, written);
    });
  }

  private attempt<T>(write: () => T): T {
    try {
      return write();
    } catch (error) {
      throw new InputError(`Cannot write ${this.path}: ${messageOf(error)}`);
    }
  }
}
