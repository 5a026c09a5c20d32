/**
 * @file What every command shares with the person at the terminal: results on stdout, everything else on stderr,
 * `--json` as exactly one object, progress with rate and ETA, and Ctrl-C (SIGTERM, SIGHUP, SIGUSR1) as an
 * AbortSignal.
 */
import { SingleBar } from 'cli-progress';
import type { Command } from 'commander';
import type { Box } from '../data/manifest.js';
import { UsageError } from '../errors.js';
import { largest } from '../extremes.js';
import type { StageContext, StageProgress, StageView } from '../stages/context.js';
import { formatSeconds } from '../stages/format-seconds.js';

export { formatSeconds };

/** Options that every command that computes takes. */
export interface CommonOptions {
  json?: boolean;
  device: string;
  threads?: number;
}

/** Adds `--json`, `--device` and `--threads`. */
export function addCommonOptions(command: Command): Command {
  return command
    .option('--json', 'print one JSON object on stdout and nothing else')
    .option('--device <name>', 'cpu | webgpu | cuda | tensorflow', 'cpu')
    .option('--threads <n>', 'compute threads', positiveInteger);
}

/** commander parser: an integer of at least 1. */
export function positiveInteger(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1)
    throw new UsageError(`Expected a whole number of at least 1, got "${text}".`);
  return value;
}

/** commander parser: an integer of at least 0. */
export function nonNegativeInteger(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isSafeInteger(value) || value < 0) {
    throw new UsageError(`Expected a whole number of at least 0, got "${text}".`);
  }
  return value;
}

/** commander parser: "x,y,width,height" in px. */
export function boxOption(text: string): Box {
  const [x, y, width, height, ...rest] = text
    .split(',')
    .map((part) => (part.trim() === '' ? Number.NaN : Number(part)));
  if (![x, y, width, height].every(Number.isFinite) || rest.length > 0 || !(width > 0 && height > 0)) {
    throw new UsageError(`--box: expected x,y,width,height in px such as 120,80,300,400, got "${text}".`);
  }
  return { x, y, width, height };
}

/** commander parser: a fraction in [0, 1]. */
export function fraction(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !(value >= 0 && value <= 1))
    throw new UsageError(`Expected a number from 0 to 1, got "${text}".`);
  return value;
}

// Names come from files and folders of strangers: what would move a terminal's cursor, change its colours or turn the
// direction of reading is shown as its number. Line breaks and tabs are ours.
// oxlint-disable-next-line no-control-regex
const commanding = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]/g;

/** Text that a terminal shows and never obeys. */
export function printable(text: string): string {
  return text.replaceAll(commanding, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** A line for the person, on stderr. */
export function say(line: string): void {
  process.stderr.write(`${printable(line)}\n`);
}

/** The command's result: JSON when asked for, else the text. The only writer to stdout. */
export function printResult(result: unknown, text: string, { json = false }: { json?: boolean }): void {
  // In JSON the numbers of such characters are the same string.
  process.stdout.write(`${printable(json ? JSON.stringify(result) : text)}\n`);
}

/** A progress bar with rate and ETA on a terminal, a line every ten seconds otherwise. Always on stderr. */
export function startProgress(label: string, total: number): StageProgress {
  const startedAt = performance.now();
  const rate = (done: number) => done / Math.max(1e-3, (performance.now() - startedAt) / 1000);
  const eta = (done: number) => (done === 0 ? '?' : formatSeconds((total - done) / rate(done)));
  if (process.stderr.isTTY) {
    const bar = new SingleBar({
      format: `${label} {bar} {value}/{total}  {rate}/s  ETA {left}`,
      stream: process.stderr,
      hideCursor: true,
      clearOnComplete: false,
    });
    bar.start(total, 0, { rate: '0.0', left: '?' });
    return {
      update: (done) => bar.update(done, { rate: rate(done).toFixed(1), left: eta(done) }),
      stop: () => bar.stop(),
    };
  }
  let lastLineAt = startedAt;
  let last = 0;
  return {
    update(done) {
      last = done;
      if (performance.now() - lastLineAt < 10_000) return;
      lastLineAt = performance.now();
      say(`${label} ${done}/${total}  ${rate(done).toFixed(1)}/s  ETA ${eta(done)}`);
    },
    stop() {
      say(
        `${label} ${last}/${total}  ${rate(last).toFixed(1)}/s  in ${formatSeconds((performance.now() - startedAt) / 1000)}`,
      );
    },
  };
}

/** A table in lines, its columns aligned: the first to the left, numbers to the right. */
export function alignedLines({ columns, rows }: { columns: readonly string[]; rows: readonly string[][] }): string[] {
  const lines = [columns, ...rows];
  const widths = columns.map((_, i) => largest(lines.map((cells) => cells[i].length)));
  return lines.map((cells) =>
    cells.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i]))).join('  '),
  );
}

/** Ctrl-C, an end that the system asks for, a terminal that was closed, and a scheduler's warning that the time is nearly over. */
const endings = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGUSR1'] as const;

/** Exit codes: asked to stop; stopped by a scheduler, which is to queue the job again (EX_TEMPFAIL of sysexits.h). */
const [stoppedCode, requeueCode] = [130, 75];

/** The exit code of processes that ended together, as all of them know it. */
let together: { code: number | undefined } | undefined;

let interruption: { controller: AbortController; listener: (name: NodeJS.Signals) => void; code: number } | undefined;

/** An AbortSignal that fires on the first of `endings`; a second Ctrl-C, or the same once more, ends the process at once. */
export function interruptSignal(): AbortSignal {
  if (interruption !== undefined && process.listeners('SIGINT').includes(interruption.listener)) {
    return interruption.controller.signal;
  }
  for (const name of endings) if (interruption !== undefined) process.off(name, interruption.listener);
  const controller = new AbortController();
  let first: NodeJS.Signals | undefined;
  const listener = (name: NodeJS.Signals) => {
    if (first !== undefined) {
      // Slurm sends SIGTERM behind its warning, while a checkpoint may be being written.
      if (name === first || name === 'SIGINT') process.exit(stoppedCode);
      return;
    }
    first = name;
    begun.code = codeOf(name, process.env.SLURM_JOB_ID !== undefined);
    say('Interrupted: finishing the item in hand, then stopping (Ctrl-C again to stop at once).');
    controller.abort(new DOMException(name, 'AbortError'));
  };
  for (const name of endings) process.on(name, listener);
  const begun = { controller, listener, code: stoppedCode };
  interruption = begun;
  return controller.signal;
}

/** `scheduled`: a scheduler has started this process, and ends it. */
function codeOf(name: string, scheduled: boolean): number {
  return name === 'SIGUSR1' || (name === 'SIGTERM' && scheduled) ? requeueCode : stoppedCode;
}

/** The exit code of a command that was asked to stop while it listened; undefined where it was not. */
export function interruptionCode(): number | undefined {
  if (together !== undefined) return together.code;
  return interruption?.controller.signal.aborted === true ? interruption.code : undefined;
}

/** One of several processes ends with the code of all of them: a job that was asked to end by one of them is not done by the others. */
export function endTogether(signalName: string | undefined): void {
  together = { code: signalName === undefined ? undefined : codeOf(signalName, true) };
}

/** What stages show: lines and progress on stderr. */
export const terminalView: StageView = { progress: startProgress, note: say };

/** What commands give their stages. From the moment a stage asks for the signal, Ctrl-C is for it to heed; until then it ends the process. */
export const terminalContext: StageContext = {
  view: terminalView,
  get signal() {
    return interruptSignal();
  },
};

/** commander parser of an option that is given several times. */
export function collect(value: string, previous: string[]): string[] {
  return [...previous, value];
}
