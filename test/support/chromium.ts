/** @file The browser of the machine: `RMAC_CHROMIUM`, else Debian's. */
import { existsSync } from 'node:fs';

const path = process.env.RMAC_CHROMIUM ?? '/usr/bin/chromium';

/** Undefined (after a message) where it is absent: skip the test then. */
export const chromiumPath: string | undefined = existsSync(path) ? path : undefined;

if (chromiumPath === undefined) {
  process.stderr.write('No Chromium found (set RMAC_CHROMIUM): the tests in a browser are skipped.\n');
}
