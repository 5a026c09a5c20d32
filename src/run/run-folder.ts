/**
 * @file The folder of one training run: `config.yaml` (resolved), `start.json` (what it started from), `log.jsonl`, `checkpoints/`,
 * `model.safetensors` (the last complete state's model) and `best.safetensors` (by mAP on --val); `classify/`, the same of a classification before it.
 */
import { appendFileSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import type { z } from 'zod';
import { configText, parseRecipe } from '../config.js';
import { makeFolder, writeFileAtomic } from '../data/files.js';
import { readText } from '../data/read-file.js';
import { InputError, messageOf } from '../errors.js';
import { latestCheckpoint } from './checkpoint.js';

/** What lies where in the folder of a training run: models, checkpoints, settings, log. */
export class RunFolder {
  readonly config: string;
  readonly start: string;
  readonly log: string;
  readonly checkpoints: string;
  readonly model: string;
  readonly best: string;
  /** Folder of the classification that a ranking begins with. */
  readonly classify: string;

  constructor(readonly path: string) {
    this.config = join(path, 'config.yaml');
    this.start = join(path, 'start.json');
    this.log = join(path, 'log.jsonl');
    this.checkpoints = join(path, 'checkpoints');
    this.model = join(path, 'model.safetensors');
    this.best = join(path, 'best.safetensors');
    this.classify = join(path, 'classify');
  }

  /** Throws `InputError` if a run is here already and is not to be resumed. */
  assertNew(): void {
    const taken = [this.config, this.log, this.checkpoints, this.model, this.best].find((file) => existsSync(file));
    if (taken !== undefined) {
      throw new InputError(
        `${this.path} holds a run (${taken}); continue it with --resume, or choose another --run folder.`,
      );
    }
  }

  /** The newest checkpoint's folder; undefined where a run has not begun. */
  latestCheckpoint(): Promise<string | undefined> {
    return latestCheckpoint(this.checkpoints);
  }

  /** The configuration of the run that is here; undefined where none began. */
  async readConfig(): Promise<Record<string, unknown> | undefined> {
    if (!existsSync(this.config)) return undefined;
    return parseRecipe(await readText(this.config), this.config);
  }

  /** Writes the settings, with a schema what each means above it. */
  async writeConfig(config: Readonly<Record<string, unknown>>, schema?: z.ZodObject): Promise<void> {
    await writeFileAtomic(this.config, configText(config, schema), { overwrite: true });
  }

  /** Appends one record to the log, at once: what was logged is on disk when the process is killed. */
  append(record: object): void {
    try {
      appendFileSync(this.log, `${JSON.stringify(record)}\n`);
    } catch (error) {
      throw new InputError(`Cannot write ${this.log}: ${messageOf(error)}`);
    }
  }

  /** Drops what the log says of updates after `step` and of an end, for the run goes on, and a last line that a kill cut short. */
  async truncateLog(step: number): Promise<void> {
    await makeFolder(this.path);
    if (!existsSync(this.log)) return;
    const lines = (await readText(this.log)).split('\n').filter((line) => isKept(line, step));
    await writeFileAtomic(this.log, lines.map((line) => `${line}\n`).join(''), { overwrite: true });
  }
}

function isKept(line: string, step: number): boolean {
  if (line === '') return false;
  try {
    const record = JSON.parse(line) as { step?: unknown; event?: unknown } | null;
    if (record?.event === 'stop' || record?.event === 'finish') return false;
    return typeof record?.step === 'number' && record.step <= step;
  } catch {
    return false;
  }
}
