import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import { register } from '../../src/commands/data.js';
import { downloadData } from '../../src/data/download-data.js';
import { downloadFile } from '../../src/data/download.js';
import { publishedData, publishedDataNamed } from '../../src/data/published-data.js';
import { InputError, UsageError } from '../../src/errors.js';
import { openBenchmark } from '../../src/retrieval/protocols/open-benchmark.js';
import { runCommand } from '../commands/run-command.js';
import { breakOffAt } from '../support/break-off.js';
import { tarOf, tgzOf, zipOf } from './archives.js';

type Answer = (request: IncomingMessage, response: ServerResponse, asked: number) => void;

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

/** A server on this machine; answers by path, counted by path. */
async function serve(answers: Readonly<Record<string, Buffer | Answer>>) {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    const path = request.url ?? '';
    asked.push(request.headers.range === undefined ? path : `${path} ${request.headers.range}`);
    const answer = answers[path];
    if (answer === undefined) response.writeHead(404).end('<html>not here</html>');
    else if (typeof answer !== 'function') send(answer, request, response);
    else answer(request, response, asked.filter((each) => each.split(' ')[0] === path).length);
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked };
}

function send(content: Buffer, request: IncomingMessage, response: ServerResponse, headers: object = {}): void {
  const start = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0);
  if (start > 0 && start >= content.length) {
    response.writeHead(416, { 'content-range': `bytes */${content.length}` }).end();
    return;
  }
  const range = { 'content-range': `bytes ${start}-${content.length - 1}/${content.length}` };
  response.writeHead(start > 0 ? 206 : 200, {
    'content-length': content.length - start,
    ...(start > 0 && range),
    ...headers,
  });
  response.end(content.subarray(start));
}

const newFolder = () => mkdtempSync(join(tmpdir(), 'rmac-data-'));
const oxford = publishedDataNamed('oxford5k');
const [imagesName, truthName] = oxford.files.map(({ name }) => name);
let images: Buffer;
let truth: Buffer;
beforeAll(async () => {
  images = await tgzOf({ 'all_souls_000000.jpg': Buffer.alloc(50_000, 3), 'all_souls_000001.jpg': 'x' });
  truth = await tgzOf({
    'all_souls_1_query.txt': 'oxc1_all_souls_000000 0 0 9 9\n',
    'all_souls_1_good.txt': 'all_souls_000000\n',
    'all_souls_1_ok.txt': 'all_souls_000001\n',
    'all_souls_1_junk.txt': '',
  });
});
const published = () => ({ [`/${imagesName}`]: images, [`/${truthName}`]: truth });

describe('downloadData', () => {
  test('from a mirror: unpacked to where evaluate looks, archives removed, the sha256 recorded', async () => {
    const { url, asked } = await serve(published());
    const out = join(newFolder(), 'oxford');
    const { files } = await downloadData(oxford, out, { from: url });
    expect(files.map(({ name, files: n, verified }) => [name, n, verified])).toEqual([
      [imagesName, 2, false],
      [truthName, 4, false],
    ]);
    expect(files[0].sha256).toBe(createHash('sha256').update(images).digest('hex'));
    expect(readdirSync(out).toSorted()).toEqual(['download.json', 'gt', 'images']);
    const { settings } = await openBenchmark('oxford5k', { data: out });
    expect(settings[0].groundTruth.queries[0].positives).toEqual(['all_souls_000000', 'all_souls_000001']);
    await downloadData(oxford, out, { from: url }); // nothing left to do
    expect(asked).toHaveLength(2);
  });

  test('every data set goes where its protocol finds it', async () => {
    const jpeg = 'x';
    const gndText = (name: string) =>
      `(dp0\nS'imlist'\n(lp1\nS'${name}_0'\nasS'qimlist'\n(lp2\nS'${name}_1'\nasS'gnd'\n(lp3\n(dp4\nS'easy'\n(lp5\nI0\nasS'hard'\n(lp6\nsS'junk'\n(lp7\nsas.`;
    const folder = newFolder();
    const write = (name: string, bytes: Buffer | string) => writeFileSync(join(folder, name), bytes);
    write('oxbuild_images-v1.tgz', await tgzOf({ 'ox_0.jpg': jpeg, 'ox_1.jpg': jpeg }));
    write(
      'gt_files_170407.tgz',
      await tgzOf({
        'ox_1_query.txt': 'oxc1_ox_0 0 0 1 1',
        'ox_1_good.txt': 'ox_0',
        'ox_1_ok.txt': '',
        'ox_1_junk.txt': '',
      }),
    );
    write('paris_1-v1.tgz', await tgzOf({ 'paris/defense/paris_0.jpg': jpeg }));
    write('paris_2-v1.tgz', await tgzOf({ 'paris/louvre/paris_1.jpg': jpeg }));
    write(
      'paris_120310.tgz',
      await tgzOf({
        'paris_120310/p_1_query.txt': 'paris_0 0 0 1 1',
        'paris_120310/p_1_good.txt': 'paris_1',
        'paris_120310/p_1_ok.txt': '',
        'paris_120310/p_1_junk.txt': '',
      }),
    );
    write('gnd_roxford5k.pkl', gndText('ox'));
    write('gnd_rparis6k.pkl', gndText('paris'));
    write('jpg1.tar.gz', await tgzOf({ 'jpg/100000.jpg': jpeg, 'jpg/100001.jpg': jpeg }));
    write('jpg2.tar.gz', await tgzOf({ 'jpg/100100.jpg': jpeg, 'jpg/100101.jpg': jpeg }));
    const four = [0, 1, 2, 3].map((i) => ({ name: `full/ukbench0000${i}.jpg`, content: jpeg }));
    write('ukbench.zip', zipOf([...four, { name: 'thumbnails/ukbench00000.th.jpg', content: jpeg }]));
    const sizes: [string, number][] = [];
    for (const name of ['oxford5k', 'paris6k', 'roxford5k', 'rparis6k', 'holidays', 'ukbench'] as const) {
      const out = join(newFolder(), name);
      await downloadData(publishedDataNamed(name), out, { from: folder });
      const { settings } = await openBenchmark(name, { data: out });
      sizes.push([name, settings[0].groundTruth.database.length]);
    }
    expect(sizes).toEqual([
      ['oxford5k', 2],
      ['paris6k', 2],
      ['roxford5k', 1],
      ['rparis6k', 1],
      ['holidays', 4],
      ['ukbench', 4],
    ]);
    expect(readdirSync(folder)).toHaveLength(10); // what was given stays
  });

  test('an earlier end is continued: what is done stays, what changed is refused', async () => {
    const out = join(newFolder(), 'oxford');
    const half = await serve({ [`/${truthName}`]: truth });
    await expect(downloadData(oxford, out, { from: half.url })).rejects.toThrow(
      /oxbuild_images-v1\.tgz: the server answers 404/,
    );
    expect(existsSync(join(out, 'gt', 'all_souls_1_query.txt'))).toBe(true);
    const whole = await serve(published());
    await downloadData(oxford, out, { from: whole.url });
    expect(whole.asked).toEqual([`/${imagesName}`]);

    const checksums = join(out, 'download.json');
    const second = join(newFolder(), 'second');
    const other = await serve({ ...published(), [`/${imagesName}`]: truth });
    await expect(downloadData(oxford, second, { from: other.url, checksums })).rejects.toThrow(
      /the sha256 is .* expected/,
    );
    const { files } = await downloadData(oxford, second, { from: whole.url, checksums });
    expect(files.map(({ verified }) => verified)).toEqual([true, true]);
  });

  test('a hostile or damaged archive leaves nothing of itself', async () => {
    const hostile = await tarOf([
      { name: 'fine.jpg', content: 'x' },
      { name: '../evil', content: 'x' },
    ]);
    const bad = [hostile, images.subarray(0, images.length - 9), Buffer.from('<html>sign in</html>')];
    for (const content of bad) {
      const out = join(newFolder(), 'oxford');
      const { url } = await serve({ ...published(), [`/${imagesName}`]: content });
      await expect(downloadData(oxford, out, { from: url })).rejects.toThrow(InputError);
      expect(readdirSync(out).filter((name) => name.startsWith('.unpacking'))).toEqual([]);
      expect(existsSync(join(out, 'images')) ? readdirSync(join(out, 'images')) : []).toEqual([]);
      expect(existsSync(join(out, '..', 'evil'))).toBe(false);
      const good = await serve(published()); // and the next run gets the real one
      await downloadData(oxford, out, { from: good.url });
      expect(readdirSync(join(out, 'images'))).toHaveLength(2);
    }
  });

  test('a folder with other things, another set, or a broken state is refused', async () => {
    const out = newFolder();
    writeFileSync(join(out, 'mine.txt'), 'x');
    await expect(downloadData(oxford, out)).rejects.toThrow(/other files \(mine\.txt\)/);
    const used = newFolder();
    writeFileSync(join(used, 'download.json'), '{"name":"paris6k","files":{}}');
    await expect(downloadData(oxford, used)).rejects.toThrow(/holds paris6k/);
    writeFileSync(join(used, 'download.json'), '{}');
    await expect(downloadData(oxford, used)).rejects.toThrow(/is not what this command writes/);
  });

  test('Ctrl-C keeps what came, also of a file in the middle', async () => {
    const stop = new AbortController();
    const { url } = await serve({
      [`/${truthName}`]: truth,
      [`/${imagesName}`]: (_, response) => {
        response.writeHead(200, { 'content-length': images.length }).write(images.subarray(0, 40));
      },
    });
    const out = join(newFolder(), 'oxford');
    const running = downloadData(oxford, out, {
      from: url,
      signal: stop.signal,
      onBytes: (done) => {
        if (done === truth.length + 40) stop.abort();
      },
    });
    await expect(running).rejects.toThrow(/Stopped; .* keeps what came/);
    expect(readFileSync(join(out, '.archives', `${imagesName}.part`))).toEqual(images.subarray(0, 40));
    const again = await serve(published());
    await downloadData(oxford, out, { from: again.url });
    expect(again.asked).toContain(`/${imagesName} bytes=40-`);
    expect(readdirSync(join(out, 'gt'))).toHaveLength(4);
    expect(readdirSync(join(out, 'images'))).toHaveLength(2);
  });

  test('what a kill left of the first download.json and of a lock is in no way', async () => {
    const { url } = await serve(published());
    const out = join(newFolder(), 'oxford');
    mkdirSync(out, { recursive: true });
    writeFileSync(join(out, '.download.json.6d7b921a.tmp'), '{"name"');
    writeFileSync(join(out, '.rmac.lock'), '');
    await downloadData(oxford, out, { from: url });
    expect(readdirSync(out).toSorted()).toEqual(['download.json', 'gt', 'images']);
  });

  test('what needs a browser or FTP says how; every set has a licence, addresses and distinct names', async () => {
    await expect(downloadData(publishedDataNamed('holidays'), join(newFolder(), 'h'))).rejects.toThrow(
      /ftp:\/\/.*curl.*--from/,
    );
    for (const { licence, files, page } of publishedData.values()) {
      expect(licence).not.toBe('');
      expect(new Set(files.map(({ name }) => name)).size).toBe(files.length);
      for (const { url } of [{ url: page }, ...files]) expect(URL.canParse(url)).toBe(true);
    }
    expect(() => publishedDataNamed('x')).toThrow(UsageError);
  });
});

describe('downloadFile against difficult servers', () => {
  const content = Buffer.from(Uint8Array.from({ length: 200_000 }, (_, i) => (i * 31) % 241));
  const target = () => join(newFolder(), 'f.bin');

  test('429 and 503 are waited for as the server asks, then tried again', async () => {
    for (const status of [429, 503, 500]) {
      const { url, asked } = await serve({
        '/f': (request, response, count) => {
          if (count > 2) send(content, request, response);
          else response.writeHead(status, { 'retry-after': '0' }).end('busy');
        },
      });
      const file = target();
      await downloadFile(`${url}/f`, file);
      expect(readFileSync(file)).toEqual(content);
      expect(asked).toHaveLength(3);
    }
  });

  test('redirects are followed', async () => {
    const { url } = await serve({
      '/f': (_, response) => response.writeHead(302, { location: '/g' }).end(),
      '/g': content,
      '/loop': (_, response) => response.writeHead(301, { location: '/loop' }).end(),
    });
    const file = target();
    await downloadFile(`${url}/f`, file);
    expect(readFileSync(file)).toEqual(content);
    await expect(downloadFile(`${url}/loop`, target(), { retries: 0 })).rejects.toThrow(InputError);
  });

  test('a length that is a lie, in either direction, is never taken for the file', async () => {
    const { url } = await serve({
      '/long': (_, response, count) => {
        if (count > 1) response.writeHead(416, { 'content-range': `bytes */${content.length + 5}` }).end();
        else {
          response.writeHead(200, { 'content-length': content.length + 5 });
          response.write(content, () => setTimeout(() => response.destroy(), 20));
        }
      },
    });
    await expect(downloadFile(`${url}/long`, target(), { retries: 1, idleMs: 500 })).rejects.toThrow(/keeps breaking/);
  });

  test('416 to a request for the whole file is no file', async () => {
    const { url } = await serve({
      '/f': (_, response) => response.writeHead(416, { 'content-range': 'bytes */0' }).end(),
    });
    await expect(downloadFile(`${url}/f`, target())).rejects.toThrow(/the server answers 416/);
  });

  test('another version of the file by the time of the second run starts from the beginning', async () => {
    const newer = Buffer.from(content.map((byte) => byte ^ 0xff));
    const file = target();
    const { url, asked } = await serve({
      '/f': (request, response, count) => {
        if (count === 1) {
          response.writeHead(200, { 'content-length': content.length, etag: '"one"' });
          response.write(content.subarray(0, 70_000));
          breakOffAt(70_000, file, response);
        } else if (request.headers['if-range'] === '"one"') {
          response.writeHead(200, { 'content-length': newer.length, etag: '"two"' }).end(newer);
        } else response.writeHead(400).end();
      },
    });
    await downloadFile(`${url}/f`, file);
    expect(readFileSync(file)).toEqual(newer);
    expect(asked).toEqual(['/f', '/f bytes=70000-']);
    expect(existsSync(`${file}.part.version`)).toBe(false);
  });
});

describe('rmac data download landmarks', () => {
  let photograph: Buffer;
  beforeAll(async () => {
    photograph = await sharp({ create: { width: 32, height: 32, channels: 3, background: '#735' } })
      .jpeg()
      .toBuffer();
  });
  const run = async (...argv: string[]) => {
    const { stdout, stderr } = await runCommand(register, 'data', 'download', 'landmarks', ...argv, '--json');
    return {
      stderr,
      result: JSON.parse(stdout) as { downloaded: number; landmarks: number; broken: { url: string; error: string }[] },
    };
  };

  test('photographs in a folder each; broken links counted, listed with reasons, not asked for again', async () => {
    let most = 0;
    let now = 0;
    const slowly: Answer = (_, response) => {
      most = Math.max(most, ++now);
      setTimeout(() => {
        now--;
        response.writeHead(200, { 'content-type': 'image/jpeg' }).end(photograph);
      }, 30);
    };
    const paths = Object.fromEntries(Array.from({ length: 6 }, (_, i) => [`/${i}.jpg`, slowly]));
    const { url, asked } = await serve({
      ...paths,
      '/page.jpg': Buffer.from('<html>gone</html>'),
      '/empty.jpg': Buffer.alloc(0),
    });
    const list = join(newFolder(), 'links.tsv');
    const lines = [
      '# comment',
      ...Object.keys(paths).map((path, i) => `${i % 2 ? 'red fort' : 'tajmahal'}\t${url}${path}`),
    ];
    writeFileSync(
      list,
      [...lines, `tajmahal\t${url}/page.jpg`, `red fort\t${url}/none.jpg`, `${url}/empty.jpg\tred fort`, ''].join('\n'),
    );
    const out = join(newFolder(), 'photos');
    const { result } = await run('--list', list, '--out', out);
    expect(result).toMatchObject({ downloaded: 6, landmarks: 2 });
    expect(result.broken.map(({ error }) => error)).toEqual([
      expect.stringMatching(/page\.jpg: not a photograph/),
      expect.stringMatching(/none\.jpg: the server answers 404/),
      expect.stringMatching(/empty\.jpg: the file is empty/),
    ]);
    expect(most).toBeLessThanOrEqual(2); // to one server
    expect(readdirSync(join(out, 'tajmahal'))).toHaveLength(3);
    expect(readdirSync(join(out, 'red fort')).every((name) => /^[0-9a-f]{16}\.jpg$/.test(name))).toBe(true);
    const before = asked.length;
    expect((await run('--list', list, '--out', out)).result).toEqual(result);
    expect(asked).toHaveLength(before);
    await run('--list', list, '--out', out, '--retry-broken');
    expect(asked.length).toBe(before + 3);
  });

  test('a table with a header, and a folder of lists', async () => {
    const { url } = await serve({ '/a.png': photograph, '/b.jpg': photograph });
    const folder = newFolder();
    writeFileSync(
      join(folder, 'train.csv'),
      `"id","url","landmark_id"\n"77","${url}/a.png","5"\n"78","${url}/b.jpg","6"\n`,
    );
    const out = join(newFolder(), 'a');
    expect((await run('--list', join(folder, 'train.csv'), '--out', out)).result).toMatchObject({
      downloaded: 2,
      landmarks: 2,
    });
    expect(readdirSync(out).toSorted()).toEqual(['5', '6', 'links.jsonl']);
    const lists = newFolder();
    writeFileSync(join(lists, 'big_ben.txt'), `1 ${url}/a.png 640x480\n2 ${url}/b.jpg\n`);
    expect((await run('--list', lists, '--out', join(newFolder(), 'b'))).result).toMatchObject({
      downloaded: 2,
      landmarks: 1,
    });
  });

  test('bad lists are one clear error, and a landmark cannot lead out of the folder', async () => {
    const folder = newFolder();
    const list = join(folder, 'l.txt');
    const bad = async (text: string, message: RegExp) => {
      writeFileSync(list, text);
      const running = run('--list', list, '--out', join(folder, 'o'));
      await expect(running).rejects.toThrow(InputError);
      await expect(running).rejects.toThrow(message);
    };
    await bad('tajmahal nothing\n', /l\.txt:1: expected "landmark address"/);
    await bad('tajmahal ftp://x/y.jpg\n', /l\.txt:1: expected/);
    await bad('../evil http://127.0.0.1:1/y.jpg\n', /"\.\.\/evil" cannot be the name of a folder/);
    await bad('. http://127.0.0.1:1/y.jpg\n', /cannot be the name/);
    await bad('', /lists no links/);
    await bad('url,landmark\nhello,x\n', /l\.txt:2: expected a web address/);
    const { url } = await serve({});
    await bad(`a ${url}/1.jpg\n`, /None of the 1 links/);
  });
});

describe('rmac data download', () => {
  test('shows the licence first, downloads, and says what is next; wrong usage', async () => {
    const folder = newFolder();
    writeFileSync(join(folder, imagesName), images);
    writeFileSync(join(folder, truthName), truth);
    const out = join(newFolder(), 'ox');
    const command = (...argv: string[]) => runCommand(register, 'data', 'download', ...argv);
    const { stdout, stderr } = await command('oxford5k', '--out', out, '--from', folder);
    expect(stderr).toMatch(/^Oxford Buildings.*\nLicence: photographs from Flickr/);
    expect(stdout).toMatch(/2 files, sha256 [0-9a-f]{64} \(recorded; no checksum is published/);
    expect(stdout).toMatch(/Next: rmac evaluate --protocol oxford5k --data .*ox /);
    expect((await command('list')).stdout).toMatch(/^rparis6k +2\.5 GB/m);
    await expect(command('oxford5k', '--out', join(out, 'x'), '--from', newFolder())).rejects.toThrow(
      /has no oxbuild_images-v1\.tgz/,
    );
    await expect(command('imagenet', '--out', out)).rejects.toThrow(/Known: oxford5k, .*landmarks/);
    await expect(command('oxford5k')).rejects.toThrow(/needs --out/);
    await expect(command('landmarks', '--out', out)).rejects.toThrow(UsageError);
    await expect(command('oxford5k', '--out', out, '--list', 'x')).rejects.toThrow(UsageError);
  });
});
