/**
 * @file The collective operations over MPI, from an installed libmpi by the optional package koffi: Open MPI, whose handles are the
 * addresses of its symbols, or MPICH, whose handles are numbers of its binary interface. Nothing of either is needed unless rmac was
 * started by mpirun or srun.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { InputError, messageOf } from '../errors.js';
import { type Collective, singleProcess } from './collective.js';

/** Where libmpi is looked for; RMAC_MPI comes before them. */
const libraryNames = ['libmpi.so.40', 'libmpi.so', 'libmpi.dylib', 'libmpich.so.12'];

/** What mpirun, mpiexec and srun tell the processes that they start, by kind: Open MPI, PMIx, PMI. */
const sizeVariables = ['OMPI_COMM_WORLD_SIZE', 'PMI_SIZE'];
const startVariables = [...sizeVariables, 'PMIX_RANK', 'PMI_RANK'];

/** Of mpi.h: one thread calls at a time. */
const threadSerialized = 2;

/** Between two looks for the other ranks, at most. */
const longestPauseMs = 5;

/** An MPI message counts its elements in 31 bits. */
const mostBytes = 2 ** 31 - 1;

type Native = ((...values: unknown[]) => number) & { async: (...values: unknown[]) => void };

interface Koffi {
  load(path: string, options: { global: boolean }): { func(definition: string): Native; symbol(name: string): bigint };
}

interface Handles {
  world: bigint;
  float: bigint;
  byte: bigint;
  sum: bigint;
  /** In place of the sending buffer: the receiving one holds what is sent. */
  inPlace: bigint;
}

let opened: Promise<MpiCollective> | undefined;
let rank = 0;

/** The ranks that this process was started with by mpirun or srun; otherwise it is alone. @throws InputError that says what is missing. */
export async function openCollective(env: NodeJS.ProcessEnv = process.env): Promise<Collective> {
  if (!startVariables.some((name) => env[name] !== undefined)) return singleProcess;
  // One rank needs nobody, nor MPI.
  if (sizeVariables.some((name) => env[name] === '1')) return singleProcess;
  const collective = await (opened ??= MpiCollective.open(env));
  ({ rank } = collective);
  if (collective.size > 1) return collective.reopened();
  collective.close();
  return singleProcess;
}

/** Of the ranks that this process was started with; 0 where it is alone. */
export function rankOfProcess(): number {
  return rank;
}

class MpiCollective implements Collective {
  readonly rank: number;
  readonly size: number;
  private closed = false;
  private endsWithProcess = false;
  /** Calls come one at a time. */
  private last: Promise<unknown> = Promise.resolve();

  private constructor(
    private readonly mpi: ReturnType<typeof functionsOf>,
    private readonly handles: Handles,
  ) {
    const found = new Int32Array(1);
    const numberOf = (of: Native) => (of(handles.world, found), found[0]);
    this.rank = numberOf(mpi.rank);
    this.size = numberOf(mpi.size);
  }

  static async open(env: NodeJS.ProcessEnv): Promise<MpiCollective> {
    const { functions, handles } = await loadLibrary(env);
    const provided = new Int32Array(1);
    const code = functions.init(null, null, threadSerialized, provided);
    if (code !== 0 || provided[0] < threadSerialized) {
      throw new InputError(`MPI does not start with calls from several threads (code ${code}, level ${provided[0]}).`);
    }
    return new MpiCollective(functions, handles);
  }

  reopened(): this {
    this.closed = false;
    return this;
  }

  async allReduce(values: Float32Array): Promise<void> {
    const { inPlace, float, sum, world } = this.handles;
    await this.call(this.mpi.allreduce, [inPlace, values, values.length, float, sum, world]);
  }

  async allGather(bytes: Uint8Array): Promise<Uint8Array[]> {
    const { size, mpi } = this;
    const { byte, world } = this.handles;
    const counts = new Int32Array(size);
    await this.call(mpi.allgather, [Int32Array.of(bytes.length), 4, byte, counts, 4, byte, world]);
    const ends = new Float64Array(size);
    let total = 0;
    for (const [i, count] of counts.entries()) ends[i] = total += count;
    if (total > mostBytes)
      throw new InputError(`The ranks would exchange ${total} bytes at once: more than MPI counts.`);
    const all = new Uint8Array(total);
    const starts = Int32Array.from(ends, (end, i) => end - counts[i]);
    await this.call(mpi.allgatherv, [bytes, bytes.length, byte, all, counts, starts, byte, world]);
    return Array.from(ends, (end, i) => all.subarray(starts[i], end));
  }

  async broadcast(bytes: Uint8Array): Promise<void> {
    const { byte, world } = this.handles;
    for (let from = 0; from < bytes.length; from += mostBytes) {
      const part = bytes.subarray(from, from + mostBytes);
      await this.call(this.mpi.bcast, [part, part.length, byte, 0, world]);
    }
  }

  async barrier(): Promise<void> {
    await this.call(this.mpi.barrier, [this.handles.world]);
  }

  close(): void {
    this.closed = true;
  }

  /** On a thread of its own, so that images decode and signals are heard meanwhile. */
  private call(native: Native, values: readonly unknown[]): Promise<void> {
    if (!this.endsWithProcess) {
      // Behind what was registered before, such as the release of locks: an abort does not return.
      this.endsWithProcess = true;
      process.on('exit', (code) => this.end(code));
    }
    const run = async () => {
      await this.meet();
      const code = await new Promise<number>((resolve, reject) => {
        native.async(...values, (error: Error | null, result: number) => (error ? reject(error) : resolve(result)));
      });
      assertDone(code);
    };
    const done = this.last.then(run);
    this.last = done.catch(() => undefined);
    return done;
  }

  /** Waits for the other ranks by looking now and then: inside of a call MPI would keep a core busy that others could use. */
  private async meet(): Promise<void> {
    const [request, met, status] = [new BigInt64Array(1), new Int32Array(1), new Uint8Array(64)];
    assertDone(this.mpi.ibarrier(this.handles.world, request));
    for (let ms = 1; ; ms = Math.min(ms + 1, longestPauseMs)) {
      assertDone(this.mpi.test(request, met, status));
      if (met[0] !== 0) return;
      await sleep(ms);
    }
  }

  /** A rank that leaves in the middle would let the others wait for it for ever. */
  private end(code: number): void {
    if (this.closed) this.mpi.finalize();
    else this.mpi.abort(this.handles.world, code || 1);
  }
}

function assertDone(code: number): void {
  if (code !== 0) throw new InputError(`MPI lost the connection to another rank (code ${code}).`);
}

async function loadLibrary(env: NodeJS.ProcessEnv) {
  let koffi: Koffi;
  try {
    koffi = ((await import('koffi')) as unknown as { default: Koffi }).default;
  } catch (error) {
    throw new InputError(
      `rmac was started by mpirun or srun, and calls MPI through the package koffi: npm install koffi. (${messageOf(error)})`,
    );
  }
  const problems: string[] = [];
  for (const name of env.RMAC_MPI === undefined ? libraryNames : [env.RMAC_MPI]) {
    try {
      // Open MPI's own modules look for its symbols among the global ones.
      const library = koffi.load(name, { global: true });
      return { functions: functionsOf(library), handles: handlesOf(library) };
    } catch (error) {
      problems.push(messageOf(error));
    }
  }
  throw new InputError(
    `rmac was started by mpirun or srun, and MPI's library was not found: install Open MPI (Debian: libopenmpi3) or name it in RMAC_MPI. (${problems[0]})`,
  );
}

function functionsOf(library: ReturnType<Koffi['load']>) {
  return {
    init: library.func('int MPI_Init_thread(void *argc, void *argv, int required, int *provided)'),
    rank: library.func('int MPI_Comm_rank(intptr_t comm, int *rank)'),
    size: library.func('int MPI_Comm_size(intptr_t comm, int *size)'),
    allreduce: library.func(
      'int MPI_Allreduce(intptr_t send, float *receive, int count, intptr_t type, intptr_t op, intptr_t comm)',
    ),
    allgather: library.func(
      'int MPI_Allgather(void *send, int count, intptr_t type, void *receive, int each, intptr_t received, intptr_t comm)',
    ),
    allgatherv: library.func(
      'int MPI_Allgatherv(void *send, int count, intptr_t type, void *receive, int *counts, int *starts, intptr_t received, intptr_t comm)',
    ),
    bcast: library.func('int MPI_Bcast(void *buffer, int count, intptr_t type, int root, intptr_t comm)'),
    barrier: library.func('int MPI_Barrier(intptr_t comm)'),
    ibarrier: library.func('int MPI_Ibarrier(intptr_t comm, void *request)'),
    test: library.func('int MPI_Test(void *request, int *done, void *status)'),
    finalize: library.func('int MPI_Finalize()'),
    abort: library.func('int MPI_Abort(intptr_t comm, int code)'),
  };
}

function handlesOf(library: ReturnType<Koffi['load']>): Handles {
  try {
    const [world, float, byte, sum] = ['comm_world', 'float', 'byte', 'op_sum'].map((name) =>
      library.symbol(`ompi_mpi_${name}`),
    );
    return { world, float, byte, sum, inPlace: 1n };
  } catch {
    // The MPICH ABI initiative's mpi.h: MPICH, Intel MPI, MVAPICH.
    return { world: 0x44000000n, float: 0x4c00040an, byte: 0x4c00010dn, sum: 0x58000003n, inPlace: -1n };
  }
}
