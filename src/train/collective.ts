/**
 * @file What the processes that train one model together ask of each other. Every one of them calls the same functions in the same order, one
 * at a time; a call ends when all have made it.
 */

/** The processes of a job, and their common operations. */
export interface Collective {
  /** This process, from 0. */
  readonly rank: number;
  /** How many there are. */
  readonly size: number;
  /** Replaces `values` by their sums over the ranks, the same bits on each of them. As long on every rank. */
  allReduce(values: Float32Array): Promise<void>;
  /** The bytes of every rank, by rank; they may differ in length. */
  allGather(bytes: Uint8Array): Promise<Uint8Array[]>;
  /** Replaces `bytes` by those of rank 0. As long on every rank. */
  broadcast(bytes: Uint8Array): Promise<void>;
  /** Ends when all ranks have come here. */
  barrier(): Promise<void>;
  /** This process needs the others no more. One that exits without having said so ends all of them. */
  close(): void;
}

/** A process alone. */
export const singleProcess: Collective = {
  rank: 0,
  size: 1,
  allReduce: async () => {},
  allGather: async (bytes) => [bytes],
  broadcast: async () => {},
  barrier: async () => {},
  close() {},
};
