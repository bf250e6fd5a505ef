// The static files beside the Worker: what is served, under which headers, and that a build of what is built changes nothing.
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { buildAssets } from '../../scripts/assets/build.ts';
import { pageKiB } from '../../scripts/assets/size.ts';
import { ASSETS } from '../../src/dev/assets.ts';
import { deploy } from '../support/worker.ts';

const deployed = deploy();
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
    const loaded = [...page.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, path = '']) => path);
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
