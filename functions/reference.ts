/** The edge function that describes the API: as an OpenAPI document for machines, and as a page for people. Open to everybody. */
import { sha256 } from 'hono/utils/crypto';
import type { EdgeFunction } from '../src/http/app.ts';
import type { OpenApi } from '../src/http/openapi/document.ts';
import { renderPage } from '../src/http/openapi/page.ts';
import { STYLE } from '../src/http/openapi/style.ts';
import document from './openapi.json' with { type: 'json' };

const HEADERS = {
  'cache-control': 'public, max-age=300', // short: after a deployment it is soon the new one
  'x-content-type-options': 'nosniff',
};

export const reference: EdgeFunction = (app) => {
  // The document is no secret, and viewers on other sites may load it.
  app.get('/openapi.json', (c) => c.json(document, 200, { ...HEADERS, 'access-control-allow-origin': '*' }));

  app.get('/docs', async (c) => {
    page ??= renderPage(document as unknown as OpenApi, STYLE);
    return c.html(page, 200, {
      ...HEADERS,
      'content-security-policy': await policy(),
      'referrer-policy': 'no-referrer',
    });
  });
};

/** Made at the first request, not at start: most isolates never need it. */
let page: string | undefined;

/** Nothing is loaded and nothing runs; the one stylesheet is known by its digest. */
async function policy(): Promise<string> {
  const hex = (await sha256(STYLE)) ?? '';
  const digest = btoa(String.fromCharCode(...(hex.match(/../g) ?? []).map((byte) => Number.parseInt(byte, 16))));
  return `default-src 'none'; style-src 'sha256-${digest}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`;
}
