/**
 * @file The processes that train one model together. They draw alike, share the work on images, and know the same of it afterwards; an end
 * that one of them is asked for comes for all at the same place.
 */
import { deserialize, serialize } from 'node:v8';
import { InputError, messageOf } from '../errors.js';
import { type Collective, singleProcess } from './collective.js';

/** What this process may be asked for while it trains. */
export interface Endings {
  /** To stop. */
  signal?: AbortSignal | undefined;
  /** The time given to the run is over. */
  timeout?: AbortSignal | undefined;
}

interface Message {
  /** What this rank was asked to stop by: the message of the signal's reason. */
  interrupted: string | undefined;
  late: boolean;
  value: unknown;
}

/** Thrown by every rank at the same place: the run ended before there was anything to keep. */
export class EndedTogether extends InputError {}

/** Alone it is one process, as if there were no group. */
export class ProcessGroup {
  /** Of all ranks: fire on each at the same `gather`. Alone: at once. */
  readonly signal: AbortSignal;
  /** Of all ranks, as `signal`: the time is over. */
  readonly timeout: AbortSignal;
  /** Either of them. */
  readonly ending: AbortSignal;
  /** This process was asked to end: it need not finish its share, and the next `gather` ends all. */
  readonly asked: AbortSignal;
  /** Of several ranks: what one of them was asked to stop by, once all know it. */
  interruptedBy: string | undefined;
  private readonly interruption = new AbortController();
  private readonly lateness = new AbortController();

  constructor(
    /** What the ranks ask of each other. */
    readonly collective: Collective,
    private readonly own: Endings = {},
  ) {
    const never = new AbortController().signal;
    const alone = collective.size === 1;
    this.signal = alone ? (own.signal ?? never) : this.interruption.signal;
    this.timeout = alone ? (own.timeout ?? never) : this.lateness.signal;
    this.ending = AbortSignal.any([this.signal, this.timeout]);
    this.asked = AbortSignal.any([own.signal ?? never, own.timeout ?? never]);
  }

  /** This process, from 0. */
  get rank(): number {
    return this.collective.rank;
  }

  /** How many processes there are. */
  get size(): number {
    return this.collective.size;
  }

  /** Whether this rank writes and tells. */
  get leads(): boolean {
    return this.rank === 0;
  }

  /** Those of `items` that are this rank's to work on. */
  shareOf<T>(items: readonly T[]): T[] {
    return this.size === 1 ? [...items] : items.filter((_, i) => i % this.size === this.rank);
  }

  /** What every rank says, by rank: plain data. */
  async gather<T>(value: T): Promise<T[]> {
    if (this.size === 1) return [value];
    const { signal, timeout } = this.own;
    const interrupted = signal?.aborted === true ? messageOf(signal.reason) : undefined;
    const message = { interrupted, late: timeout?.aborted === true, value };
    const all = await this.collective.allGather(serialize(message satisfies Message));
    const messages = all.map((bytes) => deserialize(bytes) as Message);
    this.interruptedBy ??= messages.find((each) => each.interrupted !== undefined)?.interrupted;
    if (this.interruptedBy !== undefined) this.interruption.abort();
    if (messages.some(({ late }) => late)) this.lateness.abort();
    return messages.map((each) => each.value as T);
  }

  /** Throws `EndedTogether` where the run is to end. */
  assertGoesOn(): void {
    if (this.ending.aborted) throw new EndedTogether('Interrupted; nothing was written.');
  }

  /** Throws `InputError` where the ranks are not at the same place: `place` says where this one is. */
  async agree(place: string): Promise<void> {
    const places = await this.gather(place);
    const other = places.findIndex((each) => each !== places[0]);
    if (other < 0) return;
    throw new InputError(
      `Rank ${other} is not where rank 0 is (${places[other]} and ${places[0]}): start all with one command, version and set of ` +
        'files, on machines of one kind.',
    );
  }
}

/** One process, that nothing ends. */
export const alone = new ProcessGroup(singleProcess);
