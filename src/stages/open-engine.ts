/** @file The engine that a stage computes with. */
import { devices, startEngine } from '../backend/index.js';
import { InputError, messageOf, UsageError } from '../errors.js';

export interface EngineChoice {
  /** Default: cpu. */
  device?: string | undefined;
  /** Compute threads. Default: as many as there are cores. */
  threads?: number | undefined;
}

/** Starts the engine, keeping at most `maxSessions` compiled graphs (default: its own). Throws `UsageError` for an unknown device. */
export async function openEngine({ device = 'cpu', threads }: EngineChoice, maxSessions?: number): Promise<void> {
  const known = devices.find((name) => name === device);
  if (known === undefined) throw new UsageError(`Unknown --device "${device}". Known: ${devices.join(', ')}.`);
  try {
    await startEngine({ device: known, threads, maxSessions });
  } catch (error) {
    throw new InputError(messageOf(error));
  }
}
