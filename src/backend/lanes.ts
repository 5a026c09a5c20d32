/**
 * @file Runs of graphs at once, each on a thread of its own. Operators that are small, and some that are not, use one thread only:
 * two examples at once on a thread each take less time than one after the other on two.
 */
import { totalmem } from 'node:os';
import type { Worker } from 'node:worker_threads';
import { encodeModel } from './model-proto.js';
import { openWorker } from './open-worker.js';
import { OrtTensor, type SessionForm, type SessionSettings } from './ort.js';
import type { CompilableGraph } from './sessions.js';
import type { HostData, Memory, Value, ValueType } from './value.js';

/** What a run reads: numbers, which become the lane's, those of a `Memory` (by its id) that the lane keeps, or zeros. */
export interface LaneFeed {
  type: ValueType;
  dims: readonly number[];
  data?: HostData;
  kept?: number;
}

/** A planned graph and the weights that it reads. */
export type LaneProgram = CompilableGraph & { leaves: readonly Value[] };

/** What a lane is told. */
export type LaneRequest =
  | { kind: 'keep'; memory: number; data: HostData }
  | { kind: 'forget'; memory: number }
  | { kind: 'open'; graph: string; model: Uint8Array; settings: SessionSettings; form: SessionForm }
  | { kind: 'close'; graph: string }
  | { kind: 'run'; graph: string; feeds: Record<string, LaneFeed>; names: readonly string[] };

/** Numbers that a run came to. */
export interface LaneResult {
  data: HostData;
  dims: readonly number[];
}

/** What it answers to a run. */
export type LaneReply = { results: LaneResult[] } | { error: Error };

type Feeds = Readonly<Record<string, LaneFeed>>;

/** Lanes at most: each has a graph, an example's activations, the weights and what is summed. */
const maxLanes = 4;
/** Below, handing numbers to another thread costs what it saves. */
const worthwhileBytes = 8 * 2 ** 20;
/** Of all tensors that a run computes, those that are there at once, at most about (forward and backward: 0.1 of VGG-16's, 0.3 of ResNet-50's). */
const shareAtOnce = 0.25;

/** A lane for each of the engine's threads, up to four, which share them. */
export class Lanes {
  private readonly lanes: Lane[];

  constructor(private readonly settings: SessionSettings) {
    const { providers, threads } = settings;
    // As many threads for each, and none left over where that can be: 6 are 3 times 2.
    const count = providers[0] === 'cpu' ? Math.floor(threads / Math.ceil(threads / maxLanes)) : 1;
    this.lanes = Array.from({ length: count }, () => new Lane(settings));
  }

  /** Lanes for so many runs at once of what computes `bytes` each: half of the memory has to hold them. */
  countFor(runs: number, bytes: number): number {
    if (bytes < worthwhileBytes) return 1;
    const memory = Math.min(totalmem(), process.constrainedMemory() || Infinity) / 2;
    return Math.max(1, Math.min(runs, this.lanes.length, Math.floor(memory / (bytes * shareAtOnce))));
  }

  /**
   * Runs a graph on its leaves and each of `parts`, by name, at once, all with a part of the engine's threads: the first by `here` on the
   * caller's own thread, which it blocks and which is the first lane's. Results in the order of `names`.
   */
  async runAtOnce(
    program: LaneProgram,
    [own, ...others]: readonly Feeds[],
    names: readonly string[],
    here: (program: LaneProgram, feeds: Record<string, OrtTensor>) => Record<string, OrtTensor>,
  ): Promise<HostData[][]> {
    const shared = this.shared(program, others.length + 1);
    const beside = this.run(shared, others, names);
    beside.catch(() => undefined); // it is awaited below, unless the run here fails first
    const feeds = Object.fromEntries(
      Object.entries(own).map(([name, { type, dims, data }]) => [name, new OrtTensor(type, data as never, dims)]),
    );
    const results = here(shared, feeds);
    return [names.map((name) => results[name].data as HostData), ...(await beside)];
  }

  /** Runs a graph on its leaves and each of `parts`, by name, on as many other threads; results in the order of `names`. */
  async run(program: LaneProgram, parts: readonly Feeds[], names: readonly string[]): Promise<HostData[][]> {
    const lanes = this.lanes.slice(0, parts.length);
    this.open(program, lanes);
    const results = await Promise.all(parts.map((feeds, i) => lanes[i].run(program, feeds, names)));
    return results.map((of) => of.map(({ data }) => data));
  }

  /** One run on the least busy of the first `count` lanes, which share the engine's threads; the caller goes on. */
  async runBeside(program: LaneProgram, count: number, feeds: Feeds, names: readonly string[]): Promise<LaneResult[]> {
    const shared = this.shared(program, count);
    const lanes = this.lanes.slice(0, count);
    this.open(shared, lanes);
    const [first] = lanes.toSorted((a, b) => a.busy - b.busy);
    return await first.run(shared, feeds, names);
  }

  /** A graph is gone. */
  readonly close = (graph: string): void => {
    for (const lane of this.lanes) lane.close(graph);
  };

  /** A program for each of `count` lanes at once. */
  private shared(program: LaneProgram, count: number): LaneProgram {
    const threads = Math.floor(this.settings.threads / count);
    return { ...program, threads, key: `${program.key}|${threads}` };
  }

  /** Has those of the lanes that have not got a graph compile it; it is encoded once. */
  private open(program: LaneProgram, lanes: readonly Lane[]): void {
    const without = lanes.filter((lane) => !lane.has(program.key));
    if (without.length === 0) return;
    const graph = program.graph(false);
    const { initializers: weights = [] } = graph;
    const model = encodeModel(graph, { beside: true });
    for (const lane of without) lane.open(program, model, weights);
  }

  /** A buffer is gone. */
  readonly forget = (memory: Memory): void => {
    for (const lane of this.lanes) lane.forget(memory);
  };

  dispose(): void {
    for (const lane of this.lanes) lane.dispose();
  }
}

/** One thread, started when it is first needed. It answers in the order that it was asked in. */
class Lane {
  private worker: Worker | undefined;
  private readonly graphs = new Set<string>();
  private readonly memories = new Set<number>();
  private waiting: { resolve: (results: LaneResult[]) => void; reject: (error: Error) => void }[] = [];

  constructor(private readonly settings: SessionSettings) {}

  /** Runs that it has not answered to. */
  get busy(): number {
    return this.waiting.length;
  }

  has(graph: string): boolean {
    return this.graphs.has(graph);
  }

  open(
    { key: graph, optimized, threads = this.settings.threads }: LaneProgram,
    model: Uint8Array,
    weights: NonNullable<SessionForm['weights']>,
  ): void {
    this.graphs.add(graph);
    const own = weights.map(({ name, bytes }) => ({ name, bytes: bytes.slice() }));
    const request = { graph, model, settings: { ...this.settings, threads }, form: { optimized, weights: own } };
    this.tell(
      { kind: 'open', ...request },
      own.map(({ bytes }) => bytes.buffer),
    );
  }

  async run({ key: graph, leaves }: LaneProgram, others: Feeds, names: readonly string[]): Promise<LaneResult[]> {
    const feeds = { ...others };
    leaves.forEach(({ type, physical: dims, memory }, i) => {
      feeds[`x${i}`] = { type, dims, kept: this.keep(memory as Memory) };
    });
    const moved = Object.values(others).flatMap(({ data }) => (data === undefined ? [] : [data.buffer as ArrayBuffer]));
    const worker = this.started();
    worker.ref(); // the process stays until there is an answer
    return await new Promise<LaneResult[]>((resolve, reject) => {
      this.waiting.push({ resolve, reject });
      this.tell({ kind: 'run', graph, feeds, names }, moved);
    });
  }

  /** Of a graph on any number of threads. */
  close(key: string): void {
    for (const graph of this.graphs) {
      if (graph !== key && !graph.startsWith(`${key}|`)) continue;
      this.graphs.delete(graph);
      this.tell({ kind: 'close', graph });
    }
  }

  forget({ id }: Memory): void {
    if (this.memories.delete(id)) this.tell({ kind: 'forget', memory: id });
  }

  dispose(): void {
    void this.worker?.terminate();
    this.ended(new Error('The engine was replaced while it ran.'));
  }

  private keep({ id, data }: Memory): number {
    if (!this.memories.has(id)) {
      this.memories.add(id);
      // Of a view the whole buffer would be copied.
      this.tell({ kind: 'keep', memory: id, data: data.byteLength === data.buffer.byteLength ? data : data.slice() });
    }
    return id;
  }

  private started(): Worker {
    if (this.worker !== undefined) return this.worker;
    const worker = openWorker(import.meta.url, './lane-worker.js', undefined);
    const ended = (error: Error) => {
      if (this.worker === worker) this.ended(error);
    };
    worker.on('error', ended);
    worker.on('exit', () => ended(new Error('A thread of the engine ended.')));
    worker.on('message', (reply: LaneReply) => {
      const { resolve, reject } = this.waiting.shift()!;
      if (this.waiting.length === 0) worker.unref();
      if ('error' in reply) reject(reply.error);
      else resolve(reply.results);
    });
    worker.unref();
    this.worker = worker;
    return worker;
  }

  private tell(request: LaneRequest, moved: readonly ArrayBuffer[] = []): void {
    this.started().postMessage(request, moved);
  }

  /** The next run starts another thread. */
  private ended(error: Error): void {
    const { waiting } = this;
    this.worker = undefined;
    this.waiting = [];
    this.graphs.clear();
    this.memories.clear();
    for (const { reject } of waiting) reject(error);
  }
}
