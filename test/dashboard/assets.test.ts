// The static files beside the Worker: what is served, under which headers, and that a build of what is built changes nothing.
import { readFile, stat } from 'node:fs/promises';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { describe, expect, test } from 'vitest';
import { buildAssets } from '../../scripts/assets/build.ts';
import { pageKiB } from '../../scripts/assets/size.ts';
import { serveDashboard } from '../../src/adapters/dashboard.ts';
import { serve as serveNext } from '../../src/adapters/next.ts';
import { toFetch } from '../../src/adapters/vercel.ts';
import { ASSETS } from '../../src/dev/assets.ts';
import { createSluice } from '../../src/index.ts';
import { browserPresent, openBrowser } from '../support/browser.ts';
import { signedIn } from '../support/dashboard.ts';
import { deploy } from '../support/worker.ts';

const deployed = deploy();
const browser = openBrowser();
const get = (path: string, init: RequestInit = {}) => fetch(deployed().worker.url + path, init);

describe('the dashboard', () => {
  test('is served at / under a policy that lets nothing else in, and nobody frame it', async () => {
    const { status, headers } = await get('/');
    expect([status, headers.get('content-type')]).toEqual([200, 'text/html; charset=utf-8']);
    const policy = headers.get('content-security-policy') ?? '';
    for (const rule of [
      "default-src 'none'",
      "script-src 'self'",
      "style-src 'self'",
      "frame-ancestors 'none'",
      "base-uri 'none'",
    ]) {
      expect(policy).toContain(rule);
    }
    expect(policy).not.toMatch(/unsafe|\*|data:|https?:/);
    expect(headers.get('x-content-type-options')).toBe('nosniff');
    expect(headers.get('referrer-policy')).toBe('no-referrer');
  });

  test('has no script or style of its own in the page, and loads only from this origin', async () => {
    const page = await (await get('/')).text();
    expect(page).not.toMatch(/<style|<script[^>]*>[^<]| on\w+=| style=/i);
    const { url } = deployed().worker;
    const named = [...page.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, path = '']) => path);
    const loaded = named.map((path) => new URL(path, url).href.slice(url.length));
    expect(loaded).toEqual(expect.arrayContaining(['/dashboard.js', '/dashboard.css', '/dashboard.svg']));
    for (const path of loaded) {
      const answer = await get(path);
      expect([path, answer.status, answer.headers.get('x-content-type-options')]).toEqual([path, 200, 'nosniff']);
    }
  });

  test('takes less than 150 KB on its way to the browser', async () => {
    expect(await pageKiB()).toBeLessThan(146);
  });
});

test('what is no file is the API, with its problems', async () => {
  const answer = await get('/nowhere.html');
  expect([answer.status, answer.headers.get('content-type')]).toEqual([404, 'application/problem+json']);
  expect((await get('/', { method: 'POST' })).status).toBe(405);
});

test('what a build leaves for itself is not served', async () => {
  for (const path of ['/.stamp', '/.assetsignore', '/_headers'])
    expect([path, (await get(path)).status]).toEqual([path, 404]);
});

test('wrangler serves the folder that is built, and a build of what has not changed writes nothing', async () => {
  const [, folder = ''] = /^directory = "(.+)"$/m.exec(await readFile('wrangler.toml', 'utf8')) ?? [];
  expect(join(process.cwd(), folder)).toBe(ASSETS);
  const written = async () => (await stat(join(ASSETS, 'dashboard.js'))).mtimeMs;
  const before = await written();
  await buildAssets();
  expect(await written()).toBe(before);
});

describe('outside Workers', () => {
  const PATHS = ['/', '/dashboard.js', '/dashboard.css', '/dashboard.svg', '/docs', '/openapi.json'];
  const serve = serveDashboard();
  const ask = (path: string, init: RequestInit = {}, served = serve) =>
    served(new Request(`http://127.0.0.1:3000${path}`, init));
  const shown = ({ status, headers }: Response) => {
    const own = [
      'etag',
      'date',
      'connection',
      'keep-alive',
      'transfer-encoding',
      'content-length',
      'vary',
      'cf-cache-status',
    ];
    return [status, Object.fromEntries([...headers].filter(([name]) => !own.includes(name)))];
  };

  test.each(PATHS)('%s is what the platform answers, and HEAD is it without its body', async (path) => {
    const [here, there] = [await ask(path), await get(path, { headers: { 'accept-encoding': 'identity' } })];
    expect(here && shown(here)).toEqual(shown(there));
    const text = (await there.text()).replaceAll('="./', '="/'); // here the page is told where it is
    expect(await here?.text()).toBe(text);
    const head = await ask(path, { method: 'HEAD' });
    expect(head && shown(head)).toEqual(shown(there));
    expect([head?.headers.get('content-length'), await head?.text()]).toEqual([String(Buffer.byteLength(text)), '']);
  });

  test('what a browser has it is not sent again', async () => {
    const etag = (await ask('/dashboard.js'))?.headers.get('etag') ?? '';
    expect(etag).toMatch(/^"[0-9a-f]{32}"$/);
    expect((await ask('/dashboard.css'))?.headers.get('etag')).not.toBe(etag);
    for (const known of [etag, `W/${etag}`, `"other", ${etag}`]) {
      const answer = await ask('/dashboard.js', { headers: { 'if-none-match': known } });
      expect([answer?.status, await answer?.text(), answer?.headers.get('etag')]).toEqual([304, '', etag]);
    }
    expect((await ask('/dashboard.js', { headers: { 'if-none-match': '"other"' } }))?.status).toBe(200);
  });

  test.each([
    '/nowhere.html',
    '/index.html',
    '/docs.html',
    '/_headers',
    '/.stamp',
    '/v1/queues',
    '/../package.json',
    '/%2e%2e/package.json',
    '/..%2fpackage.json',
    '//dashboard.js',
    '/dashboard.js/',
    '/constructor',
  ])('%s is none of them', async (path) => expect(await ask(path)).toBeUndefined());

  test('a POST is none either', async () => expect(await ask('/', { method: 'POST' })).toBeUndefined());

  test('below a path of another application the page loads, and asks, what is there', async () => {
    const below = serveDashboard('/api/sluice/');
    for (const path of ['/', '/api', '/api/sluicedocs', '/dashboard.js', '/api/sluice/v1/queues']) {
      expect([path, await ask(path, {}, below)]).toEqual([path, undefined]);
    }
    for (const path of ['/api/sluice', '/api/sluice/']) {
      const page = await (await ask(path, {}, below))?.text();
      const loaded = [...(page ?? '').matchAll(/(?:src|href)="([^"]+)"/g)].map(([, name = '']) => name);
      expect(loaded.toSorted()).toEqual(
        ['dashboard.css', 'dashboard.js', 'dashboard.svg', 'docs'].map((name) => `/api/sluice/${name}`),
      );
      for (const name of loaded) expect((await ask(name, {}, below))?.status).toBe(200);
    }
    const document = await (await ask('/api/sluice/openapi.json', {}, below))?.json();
    expect(document).toMatchObject({ servers: [{ url: '/api/sluice' }] });
  });

  test('adapters serve it where they serve the API', async () => {
    const sluice = createSluice({ queues: [] });
    const { GET, POST } = serveNext(sluice, { env: {} });
    const caught = (...path: string[]) => ({ params: Promise.resolve(path.length > 0 ? { path } : {}) });
    const next = (path: string[], method: 'GET' | 'POST' = 'GET') =>
      (method === 'GET' ? GET : POST)(
        new Request(`https://x.example/${['app', 'queue', ...path].join('/')}`, { method }),
        caught(...path),
      );
    const vercel = toFetch(sluice, { env: {}, basePath: '/app/queue' });
    for (const page of [await next([]), await vercel(new Request('https://x.example/app/queue'))]) {
      expect(await page.text()).toContain('src="/app/queue/dashboard.js"');
    }
    const answers = [
      await next(['dashboard.js']),
      await next(['openapi.json']),
      await vercel(new Request('https://x.example/app/queue/docs')),
      await next(['v1', 'queues']), // of the deployment, which has no settings here
      await next([], 'POST'),
    ];
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 500, 500]);
  });

  test.skipIf(!browserPresent)('a browser signs in there, and finds all it asks for', async () => {
    const below = serveDashboard('/api/sluice');
    const asked: string[] = [];
    const server = createServer(async (request, response) => {
      const path = request.url ?? '';
      asked.push(path);
      const answer = (await ask(path, {}, below)) ?? (await forward(request, path.replace(/^\/api\/sluice(?=\/)/, '')));
      response
        .writeHead(answer.status, Object.fromEntries(answer.headers))
        .end(Buffer.from(await answer.arrayBuffer()));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const page = await signedIn(browser(), `http://127.0.0.1:${port}/api/sluice`, deployed().stack.token);
    await page.click('nav a:has-text("Queues")');
    await page.waitForSelector('h1:has-text("Queues")');
    await page.context().close();
    await new Promise((resolve) => server.close(resolve));
    expect(asked.filter((path) => !path.startsWith('/api/sluice'))).toEqual([]);
    expect(asked).toEqual(expect.arrayContaining(['/api/sluice/session', '/api/sluice/dashboard.svg']));
  });
});

/** To the Worker, as from a page of its own. */
async function forward(request: IncomingMessage, path: string): Promise<Response> {
  const { url } = deployed().worker;
  const { method = 'GET', headers } = request;
  const { cookie = '', 'content-type': type = '' } = headers;
  const body = method === 'GET' ? {} : { body: await buffer(request) };
  const answer = await fetch(url + path, { method, headers: { cookie, 'content-type': type, origin: url }, ...body });
  const kept = ['content-type', 'set-cookie'].flatMap((name) => {
    const value = answer.headers.get(name);
    return value ? [[name, value] as const] : [];
  });
  return new Response(await answer.arrayBuffer(), { status: answer.status, headers: Object.fromEntries(kept) });
}
