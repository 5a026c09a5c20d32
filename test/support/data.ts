/** @file Where the optional real photographs and weights are: `RMAC_SHARED`, else `../shared` beside the project. */
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';

const root = process.env.RMAC_SHARED ?? resolve(import.meta.dirname, '../../../shared');

/** Folder of the shared test data, or undefined (after a message) where it is absent: skip the test then. */
export const sharedData: string | undefined = existsSync(join(root, 'data')) ? join(root, 'data') : undefined;

if (sharedData === undefined) {
  process.stderr.write(
    'Real photographs and weights not found (set RMAC_SHARED): the tests that use them are skipped.\n',
  );
}
