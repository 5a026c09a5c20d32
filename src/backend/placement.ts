/**
 * @file Which provider of ONNX Runtime computes each operator: an accelerated device leaves to the CPU what it has no
 * kernel for, without a word, and every such operator costs two copies. ONNX Runtime's own profile of a run is the witness.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { type EngineOptions, startEngine } from './index.js';
import { backendName } from './kernels/kernel.js';

export interface PlacedOperator {
  /** ONNX operator; `MemcpyToHost` and `MemcpyFromHost` are copies that ONNX Runtime has put in. */
  operator: string;
  /** As ONNX Runtime calls it, e.g. `WebGpuExecutionProvider`. */
  provider: string;
  /** Nodes of the compiled graphs; one that ran ten times is one. */
  nodes: number;
}

/** The provider that is always there, and takes what others leave. */
export const cpuProvider = 'CPUExecutionProvider';

interface ProfileEvent {
  cat: string;
  args?: { op_name?: string; provider?: string; node_index?: string };
}

/**
 * Starts the engine, lets `work` compute with it and stops it: tensors of an engine that ran before, and those that
 * `work` leaves, are gone. Ordered by operator.
 */
export async function operatorPlacement(
  options: EngineOptions,
  work: () => void | Promise<void>,
): Promise<PlacedOperator[]> {
  const folder = mkdtempSync(join(tmpdir(), 'rmac-profile-'));
  try {
    await startEngine({ ...options, profilePrefix: join(folder, 'session') });
    try {
      await work();
    } finally {
      tf.removeBackend(backendName); // its sessions write their profiles as they go
    }
    const placed = new Map<string, PlacedOperator>();
    for (const file of readdirSync(folder)) {
      for (const { operator, provider } of nodesOf(readFileSync(join(folder, file), 'utf8'))) {
        const key = `${operator} ${provider}`;
        const entry = placed.get(key);
        if (entry === undefined) placed.set(key, { operator, provider, nodes: 1 });
        else entry.nodes++;
      }
    }
    return [...placed.keys()].toSorted().map((key) => placed.get(key) as PlacedOperator);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Every node of a profile once. */
function nodesOf(profile: string): Iterable<{ operator: string; provider: string }> {
  const nodes = new Map<string, { operator: string; provider: string }>();
  for (const { cat, args } of JSON.parse(profile) as ProfileEvent[]) {
    if (cat !== 'Node' || args?.op_name === undefined || args.provider === undefined) continue;
    nodes.set(args.node_index ?? `${nodes.size}`, { operator: args.op_name, provider: args.provider });
  }
  return nodes.values();
}
