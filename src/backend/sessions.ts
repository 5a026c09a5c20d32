/** @file Compiled graphs by structure: least recently used ones go when the bound on count or memory is reached. */
import { encodeModel, type ProtoGraph } from './model-proto.js';
import { createSession, type Session, type SessionSettings } from './ort.js';
import type { Program } from './plan.js';

export interface SessionLimits {
  /** Compiled graphs kept at most. */
  maxSessions: number;
  /** Estimated native bytes of the kept graphs at most. */
  maxBytes: number;
}

/** What a session is made of. */
export type CompilableGraph = Pick<Program, 'key' | 'graph'> & {
  /** ONNX Runtime arranges the graph anew, which pays where weights are part of it. Default: it runs as it was planned. */
  optimized?: boolean;
  /** Compute threads of a run. Default: the engine's. */
  threads?: number;
};

interface Entry {
  session: Session;
  bytes: number;
}

/**
 * Native memory of a compiled node at most: growth of resident memory over 20 image shapes was 6.9 MB a graph for ResNet-50
 * forward and backward (1,372 nodes) and 28.4 MB for DenseNet-121 (1,095 nodes).
 */
const bytesPerNode = 26_000;

function nodeCount({ nodes }: ProtoGraph): number {
  return nodes.reduce((count, { body }) => count + 1 + (body === undefined ? 0 : nodeCount(body)), 0);
}

export class SessionCache {
  private readonly entries = new Map<string, Entry>();
  /** Estimated native bytes of the kept graphs. */
  bytes = 0;
  /** Graphs compiled so far. */
  compiled = 0;

  constructor(
    private readonly settings: SessionSettings,
    private readonly limits: SessionLimits,
    private readonly onDrop: (key: string) => void = () => undefined,
  ) {}

  get size(): number {
    return this.entries.size;
  }

  /** The session of a program, compiled if it is new. */
  get(program: CompilableGraph): Session {
    const found = this.entries.get(program.key);
    if (found !== undefined) {
      this.entries.delete(program.key);
      this.entries.set(program.key, found);
      return found.session;
    }
    // ONNX Runtime's other providers lack its own fused operators, or end the process on them (WebGPU, 1.30.0).
    const graph = program.graph(this.settings.providers[0] !== 'cpu');
    const { initializers: weights = [] } = graph;
    const { threads = this.settings.threads } = program;
    const model = encodeModel(graph, { beside: true });
    const weightBytes = weights.reduce((sum, { bytes }) => sum + bytes.length, 0);
    const entry = {
      session: createSession(model, { ...this.settings, threads }, { optimized: program.optimized, weights }),
      bytes: nodeCount(graph) * bytesPerNode + model.length + weightBytes,
    };
    this.compiled++;
    this.bytes += entry.bytes;
    this.entries.set(program.key, entry);
    this.evict();
    return entry.session;
  }

  /** Frees a graph, if it is kept. */
  drop(key: string): void {
    const entry = this.entries.get(key);
    if (entry === undefined) return;
    this.entries.delete(key);
    this.bytes -= entry.bytes;
    entry.session.dispose();
    this.onDrop(key);
  }

  private evict(): void {
    for (const key of this.entries.keys()) {
      const withinLimits = this.entries.size <= this.limits.maxSessions && this.bytes <= this.limits.maxBytes;
      if (withinLimits || this.entries.size === 1) return;
      this.drop(key);
    }
  }

  dispose(): void {
    for (const { session } of this.entries.values()) session.dispose();
    this.entries.clear();
    this.bytes = 0;
  }
}
