import { mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { DescribeWorkers } from '../../src/cleaning/features/describe-workers.js';
import { sharp } from '../../src/data/raster-loaders.js';

const folder = mkdtempSync(join(tmpdir(), 'rmac-describe-'));
afterAll(() => rm(folder, { recursive: true, force: true }));

test('a thread that starts leaves the loaders of the process alone, which others decode with', async () => {
  const path = join(folder, 'grey.png');
  await sharp({ create: { width: 64, height: 48, channels: 3, background: '#888' } })
    .png()
    .toFile(path);
  const svg = Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="64" height="48"/>');
  const allowed = { operation: ['VipsForeignLoadSvgBuffer'] };
  sharp.unblock(allowed); // what a thread that sets the loaders would take back
  const workers = new DescribeWorkers({}, 1);
  try {
    await workers.describe(path);
    expect(await sharp(svg).metadata()).toMatchObject({ format: 'svg', width: 64 });
  } finally {
    sharp.block(allowed);
    await workers.close();
  }
});
