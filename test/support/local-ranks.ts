/** @file Ranks that are tasks of this process: the collective operations without MPI, in the order of the ranks. */
import type { Collective } from '../../src/train/collective.js';

/** The collectives of `size` ranks. An operation that not all of them call, or not all alike, never ends. */
export function localRanks(size: number): Collective[] {
  let meeting = newMeeting();
  const meet = async <T>(rank: number, value: T): Promise<T[]> => {
    const { said, whole, end } = meeting;
    said.set(rank, value);
    if (said.size === size) {
      meeting = newMeeting();
      end();
    }
    await whole;
    return Array.from({ length: size }, (_, i) => said.get(i) as T);
  };
  return Array.from({ length: size }, (_, rank) => ({
    rank,
    size,
    async allReduce(values) {
      const all = await meet(rank, values.slice());
      for (let i = 0; i < values.length; i++) {
        let sum = 0;
        for (const each of all) sum = Math.fround(sum + each[i]);
        values[i] = sum;
      }
    },
    allGather: async (bytes) => meet(rank, bytes.slice()),
    async broadcast(bytes) {
      bytes.set((await meet(rank, bytes.slice()))[0]);
    },
    async barrier() {
      await meet(rank, undefined);
    },
    close() {},
  }));
}

function newMeeting() {
  let end = () => {};
  const whole = new Promise<void>((resolve) => {
    end = resolve;
  });
  return { said: new Map<number, unknown>(), whole, end };
}
