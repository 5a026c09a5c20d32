/** @file The page of the service in Chromium: what a person does, and what they are told. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';
import sharp from 'sharp';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { ServiceLimits } from '../../src/service/limits.js';
import { chromiumPath } from '../support/chromium.js';
import { contrast } from '../support/contrast.js';
import { fakeCollection, type FakeOptions, photograph } from '../support/fake-collection.js';
import { served, type Served } from '../support/served.js';

describe.skipIf(chromiumPath === undefined)('the page', () => {
  let folder: string;
  let browser: Browser;
  let halves: string;
  const running: Served[] = [];
  /** Requests that left the host, and what the browser complained of. */
  const strayed: string[] = [];
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'rmac-page-'));
    browser = await chromium.launch({ executablePath: chromiumPath, args: ['--no-sandbox'] });
    halves = join(folder, 'halves.png'); // three quarters blue, the right one red
    const right = await photograph('#d02020', 100, 300);
    await sharp(await photograph('#2040d0', 400, 300))
      .composite([{ input: right, left: 300, top: 0 }])
      .toFile(halves);
  });
  afterEach(async () => {
    await Promise.all(browser.contexts().map((context) => context.close()));
    await Promise.all(running.splice(0).map((each) => each.close(1)));
    expect(strayed.splice(0)).toEqual([]);
  });
  afterAll(async () => {
    await browser.close();
    rmSync(folder, { recursive: true });
  });

  async function open({
    count = 12,
    limits,
    path = '',
    expectErrors = false,
    context,
    ...fake
  }: FakeOptions & {
    count?: number;
    limits?: ServiceLimits & { token?: string };
    path?: string;
    expectErrors?: boolean;
    context?: BrowserContextOptions;
  } = {}): Promise<Page> {
    const server = await served(await fakeCollection(join(folder, 'photographs'), count, fake), limits);
    running.push(server);
    const page = await (await browser.newContext(context)).newPage();
    page.setDefaultTimeout(10_000);
    page.on('request', (request) => {
      if (!request.url().startsWith(server.url) && !/^(blob|data):/.test(request.url())) strayed.push(request.url());
    });
    page.on('pageerror', (error) => strayed.push(String(error)));
    page.on('console', (message) => {
      if (message.type() === 'error' && !expectErrors) strayed.push(message.text());
    });
    await page.goto(server.url + path);
    return page;
  }

  const status = (page: Page) => page.locator('#status');
  const cards = (page: Page) => page.locator('#list > li');
  const choose = (page: Page, files: Parameters<Page['setInputFiles']>[1]) => page.setInputFiles('#file', files);

  /** Waits until the first card has this name. */
  async function first(page: Page, name: string): Promise<void> {
    await cards(page).first().getByRole('heading', { name, exact: true }).waitFor();
    await page.locator('#list[aria-busy=false]').waitFor();
  }

  test('a photograph is chosen, and found with title, rights and link', async () => {
    const title = '<img src=x onerror=alert(1)> "blue" & <b>';
    const page = await open({
      describe: (i) => (i === 2 ? { title, rights: '© archive', link: 'https://example.org/2' } : {}),
    });
    await page.getByRole('heading', { name: 'Colours' }).waitFor();
    expect(await page.title()).toBe('Colours: search by photograph');
    expect(await page.locator('#size').textContent()).toBe('12 photographs');
    await choose(page, halves);
    await first(page, title);
    expect(await status(page).textContent()).toMatch(
      /^Found in the collection\. 12 photographs, most similar first \(0\.9/,
    );
    const card = cards(page).first();
    expect(await card.locator('.rights').textContent()).toBe('© archive');
    expect(await card.locator('.why').textContent()).toMatch(/^Found · Similarity 0\.9\d$/);
    const link = card.getByRole('link', { name: 'More about' });
    expect(await link.getAttribute('href')).toBe('https://example.org/2');
    expect(await link.getAttribute('rel')).toBe('noopener noreferrer');
    expect(await card.locator('.more button').count()).toBe(2); // blue-6 and blue-10
    expect(await page.locator('.card img').evaluateAll((images) => images.length)).toBe(12);
  });

  test('a box is dragged over the part that matters, and taken away by a click', async () => {
    const page = await open();
    await choose(page, halves);
    await first(page, 'blue-2');
    const { x, y, width, height } = (await page.locator('#shown').boundingBox()) ?? expect.fail('no picture');
    await page.mouse.move(x + 0.99 * width, y + 0.9 * height);
    await page.mouse.down();
    await page.mouse.move(x + 0.8 * width, y + 0.1 * height, { steps: 3 });
    await page.mouse.up();
    await first(page, 'red-0');
    await page.mouse.click(x + 0.5 * width, y + 0.5 * height);
    await first(page, 'blue-2');
    await page.locator('#box').waitFor({ state: 'hidden' });
  });

  test('a box by keyboard, and by numbers', async () => {
    const page = await open();
    await choose(page, halves);
    await first(page, 'blue-2');
    await page.locator('#frame').focus();
    await page.keyboard.press('Enter'); // the middle half
    for (let i = 0; i < 15; i++) await page.keyboard.press('Shift+ArrowLeft'); // 50 % - 30 % wide
    for (let i = 0; i < 30; i++) await page.keyboard.press('ArrowRight'); // as far as it goes
    await first(page, 'red-0');
    const boxOf = () =>
      page.locator('#numbers input').evaluateAll((all) => all.map((each) => (each as { value?: string }).value));
    expect(await boxOf()).toEqual(['80', '25', '20', '50']);
    await page.keyboard.press('Delete');
    await first(page, 'blue-2');
    expect(await boxOf()).toEqual(['', '', '', '']);
    await page.getByText('The part in numbers').click();
    await page.getByLabel('Left, %').fill('90');
    await first(page, 'red-0');
    await page.getByRole('button', { name: 'Use the whole photograph' }).click();
    await first(page, 'blue-2');
  });

  test('a photograph is pasted, and dropped', async () => {
    const page = await open();
    const give = async (type: 'paste' | 'drop', colour: string) => {
      const bytes = [...(await photograph(colour))];
      await page.evaluate(
        `{
          const data = new DataTransfer();
          data.items.add(new File([new Uint8Array(${JSON.stringify(bytes)})], 'x.jpg', { type: 'image/jpeg' }));
          const init = { bubbles: true, cancelable: true };
          document.body.dispatchEvent(${type === 'paste'}
            ? new ClipboardEvent('paste', { ...init, clipboardData: data })
            : new DragEvent('drop', { ...init, dataTransfer: data }));
        }`,
      );
    };
    await give('paste', '#e0d020');
    await first(page, 'yellow-3');
    await give('drop', '#20a030');
    await first(page, 'green-1');
  });

  test('similar to a result, and back', async () => {
    const page = await open({ describe: (i) => ({ id: `no ${i}/ä?`, object: `o${i}` }) });
    await choose(page, halves);
    await first(page, 'no 2/ä?');
    await cards(page).last().getByRole('button', { name: 'Similar to' }).click();
    const heading = page.locator('#query-heading');
    await expect.poll(() => heading.textContent()).toMatch(/^Similar to no \d+\/ä\?$/);
    expect(await page.locator('#results').evaluate((results) => results.matches(':focus'))).toBe(true);
    expect(decodeURIComponent(new URL(page.url()).hash)).toMatch(/^#similar\/no \d+\/ä\?$/);
    await page.locator('#frame-help').waitFor({ state: 'hidden' });
    await page.reload();
    await expect.poll(() => heading.textContent()).toMatch(/^Similar to/);
    await choose(page, halves);
    await first(page, 'no 2/ä?');
    expect(new URL(page.url()).hash).toBe('');
  });

  test('details: both pictures with the part that agrees, and every column', async () => {
    const page = await open({ describe: () => ({ columns: { material: 'brick & <i>', empty: '' } }) });
    await page.getByLabel('Look closer').selectOption('sift');
    await choose(page, halves);
    await first(page, 'blue-2');
    expect(await cards(page).first().locator('.why').textContent()).toContain('40 keypoints agree');
    await cards(page).first().hover();
    await page.locator('#match').waitFor(); // where it lies in the query
    await page.getByRole('button', { name: 'blue-2: details' }).click();
    const dialog = page.getByRole('dialog', { name: 'blue-2' });
    expect(await dialog.locator('.region').count()).toBe(2);
    const place = (i: number) =>
      dialog
        .locator('.region')
        .nth(i)
        .evaluate(({ style }) => [style.left, style.width]);
    expect(await place(0)).toEqual(['2%', '8%']); // 8 and 32 of 400 px
    expect(await place(1)).toEqual(['12.5%', '50%']); // of 64 px
    const facts = await dialog.locator('dl').innerText();
    expect(facts.split('\n').map((line) => line.trim())).toEqual(
      ['Object', 'blue', 'colour', 'blue', 'material', 'brick & <i>', 'Id', 'blue-2'].filter(Boolean),
    );
    await page.keyboard.press('Escape');
    await dialog.waitFor({ state: 'hidden' });
  });

  test('filters are asked for again', async () => {
    const page = await open({ count: 200, describe: (i) => ({ columns: { colour: '', inventory: `n ${i}` } }) });
    await choose(page, halves);
    await first(page, 'blue-2');
    const inventory = page.getByLabel('inventory'); // too many to choose from: typed
    expect(await inventory.evaluate((input) => input.tagName)).toBe('INPUT');
    await inventory.fill('n 4');
    await inventory.press('Tab');
    await first(page, 'red-4');
    expect(await cards(page).count()).toBe(1);
    await inventory.fill('n 999');
    await inventory.press('Tab');
    await expect.poll(() => status(page).textContent()).toBe('Nothing fits the filters.');
  });

  test('what is not there is said to be not there', async () => {
    const page = await open();
    await choose(page, { name: 'x.jpg', mimeType: 'image/jpeg', buffer: await photograph('#909090') });
    await expect
      .poll(() => status(page).textContent())
      .toMatch(/^Probably not in the collection\. \d+ photographs, most similar first/);
    expect(await page.locator('.card.match').count()).toBe(0);
  });

  test('errors are said in words', async () => {
    const page = await open({ expectErrors: true, limits: { megabytes: 0.1, searches: 1 } });
    const reason = page.getByRole('alert').locator('#reason');
    const svg = { name: 'x.svg', mimeType: 'image/svg+xml', buffer: Buffer.from('<svg/>') };
    await choose(page, svg);
    await expect.poll(() => reason.textContent()).toContain('not a photograph; expected JPEG, PNG');
    expect(await page.getByRole('button', { name: 'Search again' }).isVisible()).toBe(false);
    await choose(page, { name: 'x.jpg', mimeType: 'image/jpeg', buffer: Buffer.alloc(200_000) });
    await expect.poll(() => reason.textContent()).toContain('more than 0.1 MB');
    await choose(page, halves);
    await first(page, 'blue-2');
    await page.getByRole('alert').first().waitFor({ state: 'hidden' });
    await running[0].close(1);
    await choose(page, halves);
    await expect.poll(() => reason.textContent()).toBe('The service cannot be reached.');
    expect(await page.getByRole('button', { name: 'Search again' }).isVisible()).toBe(true);
    running.length = 0;
  });

  test('a full service is asked again', async () => {
    let waiting = 0;
    let release = () => undefined as void;
    const held = new Promise<void>((resolve) => (release = resolve));
    const before = async () => (waiting++ === 0 ? held : undefined);
    const page = await open({ before, limits: { searches: 1 }, expectErrors: true });
    const form = new FormData();
    form.append('image', new Blob([new Uint8Array(await photograph('#20a030'))]));
    const other = fetch(`${running[0].url}search`, { method: 'POST', body: form });
    await expect.poll(() => waiting).toBe(1);
    await choose(page, halves);
    await expect.poll(() => status(page).textContent()).toContain('The service is busy');
    release();
    expect((await other).status).toBe(200);
    await first(page, 'blue-2');
  });

  test('an empty collection, and one with 1,000 results', async () => {
    const empty = await open({ count: 0 });
    await expect.poll(() => status(empty).textContent()).toBe('The collection is empty.');
    await choose(empty, halves);
    await expect.poll(() => status(empty).textContent()).toBe('The collection is empty.');

    const page = await open({ count: 1500, describe: (i) => ({ object: `o${i}` }) });
    await page.locator('#count').selectOption('1000');
    await choose(page, halves);
    await first(page, 'blue-2');
    expect(await cards(page).count()).toBe(1000);
    await cards(page).last().scrollIntoViewIfNeeded();
    const last = cards(page).last().locator('img');
    await expect.poll(() => last.evaluate((image) => (image as { naturalWidth?: number }).naturalWidth)).toBe(64);
  });

  test('with a token: asked for once, pictures included', async () => {
    const page = await open({ limits: { token: 'correct-horse-battery' }, expectErrors: true });
    const dialog = page.getByRole('dialog', { name: 'asks for a token' });
    await dialog.getByLabel('Token').fill('wrong');
    await page.keyboard.press('Enter');
    await expect.poll(() => dialog.locator('#token-error').textContent()).toContain('not the right one');
    await dialog.getByLabel('Token').fill('correct-horse-battery');
    await page.keyboard.press('Enter');
    await dialog.waitFor({ state: 'hidden' });
    await choose(page, halves);
    await first(page, 'blue-2');
    const image = cards(page).first().locator('img').first();
    await expect.poll(() => image.evaluate((each) => (each as { naturalWidth?: number }).naturalWidth)).toBe(64);
    await page.reload();
    await page.getByText('12 photographs').waitFor();
    expect(await page.evaluate('document.cookie')).toBe(''); // scripts do not see it
  });

  test('every control and picture has a name, and all are reached by Tab', async () => {
    const page = await open({ describe: (i) => ({ link: `https://example.org/${i}` }) });
    await choose(page, halves);
    await first(page, 'blue-2');
    const session = await page.context().newCDPSession(page);
    const { nodes } = await session.send('Accessibility.getFullAXTree');
    const roles = ['button', 'link', 'combobox', 'textbox', 'spinbutton', 'image', 'application', 'dialog'];
    const named = nodes.filter(({ role, ignored }) => !ignored && roles.includes(String(role?.value)));
    expect(named.length).toBeGreaterThan(20);
    expect(named.filter(({ name }) => String(name?.value ?? '') === '')).toEqual([]);
    expect(nodes.filter(({ role }) => role?.value === 'status')).toHaveLength(1);
    expect(await page.locator('html').getAttribute('lang')).toBe('en');

    await page.locator('.skip').focus();
    const reached: string[] = [];
    for (let i = 0; i < 12; i++) {
      await page.keyboard.press('Tab');
      reached.push(String(await page.evaluate('document.activeElement.id || document.activeElement.textContent')));
    }
    expect(reached).toEqual(
      ['frame', 'The part in numbers', 'file', 'camera', 'Filters and options'].concat(reached.slice(5)),
    );
    expect(reached).toContain('count');
    expect(reached).toContain('rerank');
  });

  test.each(['light', 'dark'] as const)('%s, 375 px wide: nothing is cut off, texts stand out', async (colorScheme) => {
    const context = { viewport: { width: 375, height: 700 }, hasTouch: true, isMobile: true, colorScheme };
    const title = 'A-title-without-any-place-to-break-it-that-goes-on-and-on-and-on';
    const page = await open({ context, describe: () => ({ title, rights: '© someone' }) });
    await choose(page, halves);
    await first(page, title);
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(375);
    const inView = await page.locator('#status').evaluate((element) => element.getBoundingClientRect().top < 700);
    expect(inView).toBe(true);
    for (const selector of ['#status', '.rights', '.why', '.card .buttons button', '#frame-help', '.primary']) {
      expect(await page.locator(selector).first().evaluate(contrast), selector).toBeGreaterThan(4.5);
    }
    expect(await page.locator('#camera').getAttribute('capture')).toBe('environment');
  });

  test('a photograph that the browser cannot show is searched all the same', async () => {
    const page = await open();
    const tiff = join(folder, 'x.tif');
    writeFileSync(
      tiff,
      await sharp(await photograph('#d02020'))
        .tiff()
        .toBuffer(),
    );
    await choose(page, tiff);
    await first(page, 'red-0');
  });
});
