/** @file What the times of a site are in Chromium; see site.ts. */
import { availableParallelism, loadavg } from 'node:os';
import { basename } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { chromium, type Page } from 'playwright-core';
import { chromiumPath } from '../../test/support/chromium.js';
import { offline, staticHost } from '../../test/support/static-host.js';
import { median, print, rounded } from './process.js';

interface Answer {
  ms: number;
  /** Of all processes of the browser. */
  cpuMs: number;
  decode: number;
  resize: number;
  network: number;
}

/** One page of the site, alone in its browser. */
async function inBrowser(
  site: string,
  use: (page: Page, quiet: () => Promise<void>, answer: (file: string) => Promise<Answer>) => Promise<object>,
  headers = {},
) {
  const host = await staticHost(site, headers);
  const browser = await chromium.launch({ executablePath: chromiumPath, args: ['--no-sandbox', offline] });
  try {
    const session = await browser.newBrowserCDPSession();
    const cpuMs = async () => {
      const { processInfo } = await session.send('SystemInfo.getProcessInfo');
      return 1000 * processInfo.reduce((sum, { cpuTime }) => sum + cpuTime, 0);
    };
    const quiet = async () => {
      for (let before = -Infinity, now = 0; now - before > 25; ) {
        before = await cpuMs();
        await setTimeout(2000); // on a busy machine less is not enough to be sure
        now = await cpuMs();
      }
    };
    const page = await browser.newPage();
    page.setDefaultTimeout(120_000);
    const asked: string[] = [];
    page.on('request', (request) => asked.push(basename(request.url())));
    const answer = async (file: string) => {
      const ms = page.evaluate<number>(`new Promise((resolve) => {
        const list = document.querySelector('#list');
        let chosenAt;
        document.querySelector('#file').addEventListener('change', () => { chosenAt = performance.now(); }, { once: true, capture: true });
        new MutationObserver((_, observer) => {
          if (chosenAt === undefined || list.getAttribute('aria-busy') !== 'false' || list.children.length === 0) return;
          observer.disconnect();
          requestAnimationFrame(() => resolve(performance.now() - chosenAt));
        }).observe(list, { attributes: true });
      })`);
      const steps = worker.evaluate<Omit<Answer, 'ms' | 'cpuMs'>>(`new Promise((resolve) => {
        const { postMessage } = self;
        self.postMessage = (reply) => {
          Object.assign(self, { postMessage });
          postMessage.call(self, reply);
          resolve(reply.ms);
        };
      })`);
      const before = await cpuMs();
      await page.setInputFiles('#file', file);
      return { ms: await ms, ...(await steps), cpuMs: (await cpuMs()) - before };
    };
    await page.goto(host.address);
    const worker = page.workers()[0] ?? (await page.waitForEvent('worker'));
    const result = await use(page, quiet, answer);
    print({
      ...result,
      chromium: browser.version(),
      runtime: asked.filter((name) => name.startsWith('ort.')),
      threads: await page.evaluate('crossOriginIsolated ? Math.min(4, navigator.hardwareConcurrency) : 1'),
      cores: availableParallelism(),
      load: rounded(loadavg()[0], 1),
    });
  } finally {
    await browser.close();
    host.close();
  }
}

/** Medians. */
function typical(answers: readonly Answer[]): Answer {
  const of = (name: keyof Answer) => Math.round(median(answers.map((answer) => answer[name])));
  return { ms: of('ms'), cpuMs: of('cpuMs'), decode: of('decode'), resize: of('resize'), network: of('network') };
}

/** Prints the times of `site`, whose collection has `items` photographs; files are chosen one after the other, the `big` one three times. */
export async function timesInBrowser(
  site: string,
  { files, big, items }: { files: readonly string[]; big: string; items: number },
): Promise<void> {
  await inBrowser(site, async (_page, _quiet, answer) => ({ chosenWhileLoading: typical([await answer(files[0])]) }));
  const isolated = { 'cross-origin-opener-policy': 'same-origin', 'cross-origin-embedder-policy': 'require-corp' };
  for (const headers of [{}, isolated]) {
    await inBrowser(
      site,
      async (page, quiet, answer) => {
        await quiet();
        const first = typical([await answer(files[0])]);
        const later: Answer[] = [];
        for (const file of files.slice(1)) later.push(await answer(file));
        const twelve = [await answer(big), await answer(big), await answer(big)];
        const mostMs = Math.round(later.toSorted((a, b) => b.ms - a.ms)[0].ms);
        return {
          first,
          photographs: later.length,
          later: typical(later),
          mostMs,
          twelveMegapixels: typical(twelve),
          search: await page.evaluate(searchTimes(items)),
        };
      },
      headers,
    );
  }
}

/** In the page: ms of one search in made-up descriptors. */
const searchTimes = (
  count: number,
) => `Promise.all([import('./library.js'), import('./rows.js')]).then(([{ fromHalf }, { nearest }]) => {
  const time = (rows, dimension) => {
    const query = new Float32Array(dimension).fill(0.1);
    const ms = Array.from({ length: 9 }, () => {
      const startedAt = performance.now();
      nearest({ dimension, ...rows }, query, 24);
      return performance.now() - startedAt;
    });
    return Math.round(10 * ms.sort((a, b) => a - b)[4]) / 10;
  };
  const count = ${count};
  const halves = Uint16Array.from({ length: 256 * count }, (_, i) => 0x2000 + (i % 4096));
  const startedAt = performance.now();
  const values = fromHalf(halves);
  const unpackMs = Math.round(performance.now() - startedAt);
  const bytes = Int8Array.from({ length: 1024 * count }, (_, i) => (i * 37) % 255 - 127);
  return { float16of256Ms: time({ values }, 256), unpackMs, int8of1024Ms: time({ values: bytes, scales: new Float32Array(count).fill(0.001) }, 1024) };
})`;
