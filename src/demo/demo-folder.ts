/**
 * @file The demo's folder: what lies where, and whether the demo may start, continue or replace what is there.
 *
 *   demo.json         the settings: with it the folder is a demo's; without report.html the demo is unfinished
 *   photographs/      manifest-train.jsonl (your photographs) or manifest-train-noisy.jsonl (generated ones),
 *                     groundtruth-seen.json (validation), groundtruth.json (test), images
 *   cleaned/          clean.jsonl and report.html of `rmac clean`, where photographs are generated
 *   whitened.safetensors   the network with whitening: what the ranking starts from
 *   run/              the training run (`rmac train triplet --resume --run` continues it), with its classification in classify/
 *   exported/         ONNX files and their description
 *   report.html       written last
 */
import { existsSync } from 'node:fs';
import { readdir, realpath } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { makeFolder, removeTree, writeFileAtomic } from '../data/files.js';
import { isFolderLock } from '../data/folder-lock.js';
import { pathInside } from '../data/image-path.js';
import { readText } from '../data/read-file.js';
import { InputError, UsageError } from '../errors.js';

export class DemoFolder {
  readonly settings: string;
  readonly photographs: string;
  /** All of them. */
  readonly manifest: string;
  /** What there is to train on before cleaning, where that is a stage. */
  readonly noisyManifest: string;
  readonly cleaned: string;
  readonly trainManifest: string;
  readonly validation: string;
  readonly test: string;
  readonly whitened: string;
  readonly run: string;
  readonly exported: string;
  readonly report: string;

  /** `generated`: wrong photographs are among them, so they are cleaned. */
  constructor(
    readonly path: string,
    { generated }: { generated: boolean },
  ) {
    this.settings = join(path, 'demo.json');
    this.photographs = join(path, 'photographs');
    this.manifest = join(this.photographs, 'manifest.jsonl');
    this.noisyManifest = join(this.photographs, 'manifest-train-noisy.jsonl');
    this.cleaned = join(path, 'cleaned');
    this.trainManifest = generated ? join(this.cleaned, 'clean.jsonl') : join(this.photographs, 'manifest-train.jsonl');
    this.validation = join(this.photographs, 'groundtruth-seen.json');
    this.test = join(this.photographs, 'groundtruth.json');
    this.whitened = join(path, 'whitened.safetensors');
    this.run = join(path, 'run');
    this.exported = join(path, 'exported');
    this.report = join(path, 'report.html');
  }

  /**
   * Makes the folder ready for a demo with these settings. Returns whether it continues one that was interrupted.
   * Only a demo's own files are ever removed.
   */
  async prepare(settings: Readonly<Record<string, unknown>>, { overwrite = false } = {}): Promise<boolean> {
    const text = `${JSON.stringify(settings, null, 2)}\n`;
    const entries = await this.entries();
    if (entries.length > 0) {
      if (!existsSync(this.settings)) {
        throw new InputError(`${this.path} holds something else than a demo; choose another name for --out.`);
      }
      if (!overwrite && existsSync(this.report)) {
        throw new InputError(`${this.path} holds a demo; pass --overwrite to replace it, or choose another --out.`);
      }
      if (!overwrite && (await readText(this.settings)) === text) return true;
      if (!overwrite) {
        throw new InputError(
          `${this.path} holds an unfinished demo with other settings; pass --overwrite to replace it, or choose another --out.`,
        );
      }
      for (const old of [this.report, this.run, this.whitened, this.exported, this.cleaned, this.photographs]) {
        await removeTree(old); // a link among the photographs is removed, not followed
      }
    }
    await makeFolder(this.path);
    await writeFileAtomic(this.settings, text, { overwrite: true });
    return false;
  }

  /** @throws UsageError where the demo would read its own output, or replace what it reads. */
  async assertApartFrom(images: string): Promise<void> {
    const real = await realpath(images).catch(() => {
      throw new InputError(`--images ${images}: no such folder.`);
    });
    const own = await realpath(this.path).catch(() => resolve(this.path));
    if (real === own || pathInside(own, real) !== undefined || pathInside(real, own) !== undefined) {
      throw new UsageError(`--out ${this.path} and --images ${images} lie in each other; choose another --out.`);
    }
  }

  private async entries(): Promise<string[]> {
    if (!existsSync(this.path)) return [];
    const names = await readdir(this.path).catch(() => {
      throw new InputError(`${this.path} is not a folder; choose another name for --out.`);
    });
    return names.filter((name) => !isFolderLock(name));
  }
}
