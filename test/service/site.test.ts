/** @file A collection's site in Chromium, from a host of files alone: what a person does, and what they are told. */
import '../support/engine.js';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type Browser, chromium, type Page } from 'playwright-core';
import sharp from 'sharp';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { EmbeddedStore } from '../../src/collection/embedded-store.js';
import { exportSite } from '../../src/stages/export-site.js';
import { buildIndex } from '../../src/stages/index-update.js';
import {
  type OpenedCollection,
  openCollection,
  type SearchOptions,
  type SearchQuery,
} from '../../src/stages/search.js';
import { makeSmallSet, type SmallSet } from '../commands/small-set.js';
import { chromiumPath } from '../support/chromium.js';
import { contrast } from '../support/contrast.js';
import { offline, type StaticHost, staticHost } from '../support/static-host.js';

type Precision = 'float16' | 'int8';
const title = (kind: string, i: number) => `<b>${kind} "${i}"</b>`;

describe.skipIf(chromiumPath === undefined)('the site', () => {
  let set: SmallSet;
  let collection: OpenedCollection;
  let threshold: number;
  let browser: Browser;
  /** Loaded once; each test leaves them without filters. */
  let pages: Record<Precision, Page>;
  let page: Page;
  const hosts = new Map<Precision, StaticHost>();
  /** 300 x 200 px: stripes, and checks in the right third. */
  let both: string;
  /** Requests that left the host or sent something, and what the browser complained of. */
  const strayed: string[] = [];
  beforeAll(async () => {
    set = await makeSmallSet();
    const table = join(set.images, 'table.csv');
    const rows = ['stripes', 'checks', 'rings'].flatMap((kind) =>
      [0, 1, 2, 3].map((i) => {
        const inQuotes = title(kind, i).replaceAll('"', '""');
        return `${kind}/${i}.png,${kind}-${i},${kind},"${inQuotes}",© someone,https://example.org/${i},no ${i}`;
      }),
    );
    writeFileSync(table, `path,id,object,title,rights,link,shelf\n${rows.join('\n')}\n`);
    const index = join(set.folder, 'index');
    await buildIndex({ source: table, model: set.model, out: index, size: 96 });
    const store = await EmbeddedStore.open(index);
    const weights = { nearest: 4, several: 3, lead: 8, among: -5 };
    const presence = { threshold: 0, intercept: -2.5, weights, usual: { lead: 0.1, among: 0.8 } };
    await store.setThreshold({ similarity: 1, presence, how: 'by hand' });
    collection = await openCollection(index);
    // The threshold is such that one photograph in three is told to be there.
    const evidences = await Promise.all(store.ids().map(async (id) => (await collection.similar(id)).evidence!));
    const sorted = evidences.toSorted((a, b) => b - a);
    threshold = (sorted[3] + sorted[4]) / 2;
    await store.setThreshold({ similarity: 1, presence: { ...presence, threshold }, how: 'by hand' });
    await store.close();
    await collection.reload();
    for (const precision of ['float16', 'int8'] as const) {
      const out = join(set.folder, precision);
      await exportSite({ index, out, precision, vectors: precision });
      hosts.set(precision, await staticHost(out));
    }
    both = join(set.folder, 'both.png');
    const [left, right] = await Promise.all(
      [
        ['stripes/2.png', 200],
        ['checks/2.png', 100],
      ].map(([file, width]) =>
        sharp(join(set.images, file as string))
          .resize(width as number, 200, { fit: 'fill' })
          .toBuffer(),
      ),
    );
    await sharp({ create: { width: 300, height: 200, channels: 3, background: '#000' } })
      .composite([
        { input: left, left: 0, top: 0 },
        { input: right, left: 200, top: 0 },
      ])
      .png()
      .toFile(both);
    browser = await chromium.launch({ executablePath: chromiumPath, args: ['--no-sandbox', offline] });
    pages = { float16: await open('float16'), int8: await open('int8') };
  });
  beforeEach(() => {
    page = pages.float16;
  });
  afterEach(() => expect(strayed.splice(0)).toEqual([]));
  afterAll(async () => {
    await browser.close();
    for (const host of hosts.values()) host.close();
    collection.dispose();
    rmSync(set.folder, { recursive: true });
  });

  const open = (precision: Precision) => visit(hosts.get(precision)!.address);

  /** `instead`: what comes in place of the files of that name; without it they are missing. */
  async function visit(address: string, missing?: string, instead?: string): Promise<Page> {
    const opened = await browser.newPage();
    if (missing !== undefined) {
      await opened.route(missing, (route) =>
        instead === undefined ? route.abort() : route.fulfill({ body: instead }),
      );
    }
    opened.setDefaultTimeout(20_000);
    opened.on('request', (request) => {
      if (!request.url().startsWith(address) && !/^(blob|data):/.test(request.url())) strayed.push(request.url());
      if (request.method() !== 'GET') strayed.push(`${request.method()} ${request.url()}`);
    });
    opened.on('pageerror', (error) => strayed.push(String(error)));
    opened.on(
      'console',
      (message) => message.type() === 'error' && missing === undefined && strayed.push(message.text()),
    );
    await opened.goto(address);
    return opened;
  }

  const cards = () => page.locator('#list > li');

  /** Waits until the page shows what the library answers: the first photograph, and all similarities within 0.02. */
  async function expectAnswer(query: SearchQuery, options: SearchOptions = {}): Promise<void> {
    const { objects } = await collection.search(query, options);
    const best = objects.map(({ results }) => results[0]);
    const shown = async () => {
      const whys = await cards().locator('.why').allTextContents();
      const names = await cards().getByRole('heading').allTextContents();
      return [names.at(0), ...whys.map((why) => Number(/[\d.]+$/.exec(why)?.[0]))];
    };
    const expected = best.map(({ similarity }) => expect.closeTo(similarity, -Math.log10(0.04)) as number);
    await expect.poll(shown, { timeout: 60_000 }).toEqual([best[0].item.title, ...expected]);
  }

  test.each(['float16', 'int8'] as const)('%s: a photograph is described as here, and found', async (precision) => {
    page = pages[precision];
    await page.getByText('12 photographs').waitFor();
    const image = join(set.images, 'checks/2.png');
    await page.setInputFiles('#file', image);
    await expectAnswer({ image });
    expect(await cards().first().getByRole('heading').textContent()).toBe(title('checks', 2));
    const encoded = readFileSync(image).toString('base64');
    const { descriptor: actual, ms } = await page.workers()[0].evaluate<{
      descriptor: number[];
      ms: Record<string, number>;
    }>(`new Promise((resolve) => {
      const { postMessage } = self;
      self.postMessage = ({ descriptor, ms }) => {
        Object.assign(self, { postMessage });
        resolve({ descriptor: [...descriptor], ms });
      };
      const bytes = Uint8Array.from(atob('${encoded}'), (c) => c.charCodeAt(0));
      self.dispatchEvent(new MessageEvent('message', { data: { number: 1, photograph: new Blob([bytes]) } }));
    })`);
    const store = await EmbeddedStore.open(join(set.folder, 'index'));
    const { data: expected } = await store.vectors(['checks-2']);
    await store.close();
    const cosine = actual.reduce((sum, value, d) => sum + value * expected[d], 0);
    process.stdout.write(`${precision}: cosine of the browser's descriptor with ours: ${cosine.toFixed(6)}\n`);
    expect(cosine).toBeGreaterThan(0.999);
    expect(Object.keys(ms)).toEqual(['decode', 'resize', 'network']);
    expect(ms.network).toBeGreaterThan(0);
  });

  test.each(['float16', 'int8'] as const)(
    '%s: whether it is in the collection is judged as here',
    async (precision) => {
      const ids = ['stripes', 'checks', 'rings'].flatMap((kind) => [0, 1, 2, 3].map((i) => `${kind}-${i}`));
      type Reply = { found: boolean; evidence: number; threshold: number };
      const answers = await pages[precision].evaluate<Reply[]>(
        `import('./service.js').then(({ ask }) => Promise.all(${JSON.stringify(ids)}.map((id) => ask('similar/' + id))))`,
      );
      for (const [i, answer] of answers.entries()) {
        const expected = await collection.similar(ids[i]);
        expect(expected.measure).toBe('probability');
        expect(answer.threshold).toBe(threshold);
        expect(answer.evidence).toBeCloseTo(expected.evidence!, 2);
        expect(answer.found).toBe(answer.evidence >= threshold);
      }
      expect(answers.filter(({ found }) => found)).toHaveLength(4);
    },
  );

  test('title, rights, link and picture; what is similar to it; back by the address', async () => {
    await page.setInputFiles('#file', join(set.images, 'rings/1.png'));
    const first = cards().first();
    await first.getByRole('heading', { name: title('rings', 1), exact: true }).waitFor();
    expect(await first.locator('.rights').textContent()).toBe('© someone');
    expect(await first.getByRole('link', { name: 'More about' }).getAttribute('href')).toBe('https://example.org/1');
    const image = first.locator('img').first();
    await expect
      .poll(() => image.evaluate((each) => (each as { naturalWidth?: number }).naturalWidth))
      .toBeGreaterThan(8);
    await first.getByRole('button', { name: 'Similar to' }).click();
    const heading = page.locator('#query-heading');
    await expect.poll(() => heading.textContent()).toBe(`Similar to ${title('rings', 1)}`);
    await page.locator('#list[aria-busy=false]').waitFor();
    await cards().first().waitFor();
    expect(await page.getByRole('heading', { name: title('rings', 1), exact: true }).count()).toBe(0);
    await page.reload();
    await expect.poll(() => heading.textContent()).toBe(`Similar to ${title('rings', 1)}`);
    await cards().first().waitFor();
  });

  test('a box by mouse and by keyboard is what is described', async () => {
    await page.setInputFiles('#file', both);
    await expectAnswer({ image: both });
    const { x, y, width, height } = (await page.locator('#shown').boundingBox()) ?? expect.fail('no picture');
    await page.mouse.move(x + 0.7 * width, y + 0.1 * height);
    await page.mouse.down();
    await page.mouse.move(x + 0.99 * width, y + 0.9 * height, { steps: 3 });
    await page.mouse.up();
    await expectAnswer({ image: both, box: { x: 210, y: 20, width: 87, height: 160 } });
    expect(await cards().first().getByRole('heading').textContent()).toMatch(/checks/);
    await page.locator('#frame').focus();
    await page.keyboard.press('Delete');
    await expectAnswer({ image: both });
    await page.keyboard.press('Enter'); // the middle half
    await expectAnswer({ image: both, box: { x: 75, y: 50, width: 150, height: 100 } });
    for (let i = 0; i < 20; i++) await page.keyboard.press('ArrowLeft'); // as far as it goes
    await expectAnswer({ image: both, box: { x: 0, y: 50, width: 150, height: 100 } });
  });

  test('filters hold for photographs and for what is similar', async () => {
    const image = join(set.images, 'stripes/0.png');
    await page.setInputFiles('#file', image);
    await expectAnswer({ image });
    await page.getByLabel('shelf').selectOption('no 3');
    await expectAnswer({ image }, { where: { shelf: ['no 3'] } });
    await page.getByLabel('object').selectOption('rings');
    await expectAnswer({ image }, { where: { shelf: ['no 3'], object: ['rings'] } });
    expect(await cards().count()).toBe(1);
    await page.getByRole('button', { name: 'Similar to' }).click();
    await expect.poll(() => page.locator('#status').textContent()).toBe('Nothing fits the filters.');
    for (const name of ['shelf', 'object']) await page.getByLabel(name).selectOption('');
    await cards().first().waitFor();
  });

  test('a photograph is pasted, and dropped; one that lies on its side is set upright', async () => {
    const give = async (type: 'paste' | 'drop', bytes: Uint8Array) =>
      page.evaluate(`{
        const data = new DataTransfer();
        data.items.add(new File([new Uint8Array(${JSON.stringify([...bytes])})], 'x.jpg', { type: 'image/jpeg' }));
        const init = { bubbles: true, cancelable: true };
        document.body.dispatchEvent(${type === 'paste'}
          ? new ClipboardEvent('paste', { ...init, clipboardData: data })
          : new DragEvent('drop', { ...init, dataTransfer: data }));
      }`);
    const image = join(set.images, 'checks/0.png');
    await give('paste', readFileSync(image));
    await expectAnswer({ image });
    const turned = await sharp(both).rotate(90).withMetadata({ orientation: 8 }).jpeg({ quality: 95 }).toBuffer();
    await give('drop', turned);
    await expectAnswer({ image: turned });
    await expectAnswer({ image: both });
  });

  test('the worker may ask no other host, by the policy of the page', async () => {
    await page.setInputFiles('#file', both);
    await cards().first().waitFor();
    const refused = await page.workers()[0].evaluate(`new Promise((resolve) => {
      addEventListener('securitypolicyviolation', (event) => resolve(event.effectiveDirective));
      fetch('http://127.0.0.1:9/').catch(() => setTimeout(() => resolve('asked'), 500));
    })`);
    expect(refused).toBe('connect-src');
  });

  test('what is no picture, or too small a one, is said, and the next photograph is found', async () => {
    const choose = (buffer: Buffer) => page.setInputFiles('#file', { name: 'x.jpg', mimeType: 'image/jpeg', buffer });
    const reason = page.getByRole('alert').locator('#reason');
    await choose(Buffer.from('no picture'));
    await expect.poll(() => reason.textContent()).toContain('cannot read this file as a picture');
    expect(await page.locator('#status').textContent()).toBe('');
    await choose(Buffer.alloc(0));
    await expect.poll(() => reason.textContent()).toContain('cannot read this file as a picture');
    await choose(await sharp(both).resize(20, 4, { fit: 'fill' }).png().toBuffer());
    await expect.poll(() => reason.textContent()).toContain('at least 8 px a side');
    await page.setInputFiles('#file', both);
    await expectAnswer({ image: both });
    await page.getByRole('alert').first().waitFor({ state: 'hidden' });
  });

  test.each(['light', 'dark'] as const)('%s, 375 px wide: nothing is cut off, texts stand out', async (colorScheme) => {
    await page.setViewportSize({ width: 375, height: 700 });
    await page.emulateMedia({ colorScheme });
    await page.setInputFiles('#file', both);
    await expectAnswer({ image: both });
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(375);
    for (const selector of ['#status', '.rights', '.why', '.card .buttons button', '#frame-help', '.primary']) {
      // While results are replaced, one may be gone from the page.
      await expect
        .poll(() => page.locator(selector).first().evaluate(contrast), { message: selector })
        .toBeGreaterThan(4.5);
    }
    const dark = await page.evaluate(`getComputedStyle(document.body).backgroundColor`);
    expect(dark).toBe(colorScheme === 'dark' ? 'rgb(22, 23, 26)' : 'rgb(246, 246, 244)');
  });

  test('a page that is opened as a file says what it needs', async () => {
    const opened = await browser.newPage();
    await opened.goto(pathToFileURL(join(set.folder, 'float16/index.html')).href);
    await opened.getByText('it needs a server of files').waitFor({ timeout: 20_000 });
    await opened.close();
    expect(await page.locator('#size').textContent()).toBe('12 photographs');
  });

  test.each([
    ['collection.json', '{"photographs":12,"dimension":64}', 'not of one version'], // of an earlier site
    ['collection.json', '{"format":"rmac s', 'not of one version'],
    ['vectors.f16', 'half of it', 'vectors.f16 of this site is not whole'],
  ])('%s that is %s is refused', async (name, body, reason) => {
    page = await visit(hosts.get('float16')!.address, `**/${name}`, body);
    await page.setInputFiles('#file', both);
    await expect.poll(() => page.locator('#reason').textContent(), { timeout: 60_000 }).toContain(reason);
    expect(await cards().count()).toBe(0);
    await page.close();
  });

  test('a file of the site that is missing is named', async () => {
    const { address } = hosts.get('float16')!;
    page = await visit(address, '**/vectors.f16');
    await page.setInputFiles('#file', both);
    await expect
      .poll(() => page.locator('#reason').textContent(), { timeout: 60_000 })
      .toContain('vectors.f16 of this site cannot be reached');
  });
});
