// Cloudflare's API as `wrangler deploy` meets it where the Worker is not there yet: it remembers what it was asked, and takes everything.
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Asked {
  /** Method and path, behind the account. */
  call: string;
  body: string;
}

export interface CloudflareApi {
  /** For the environment of wrangler: there is no other place it then asks. */
  env: Record<string, string>;
  asked: Asked[];
  close(): Promise<void>;
}

const NOT_THERE = { status: 404, errors: [{ code: 10_007, message: 'This Worker does not exist' }] };

/** By the end of the path; of what is not named the result is empty. */
const RESULTS: [path: RegExp, result: unknown][] = [
  [/\/services\/[\w-]+$/, undefined],
  [/\/secrets$/, undefined],
  [/\/deployments$/, { deployments: [] }],
  [/\/workers\/subdomain$/, { subdomain: 'me' }],
  [/\/assets-upload-session$/, { jwt: 'none', buckets: [] }],
  [/\/workers\/workers\/[\w-]+$/, { subdomain: { enabled: false, previews_enabled: false } }],
];

export async function startCloudflareApi(): Promise<CloudflareApi> {
  const asked: Asked[] = [];
  const server = createServer((request, response) => {
    const [path = ''] = (request.url ?? '').split('?');
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      asked.push({
        call: `${request.method} ${path.replace('/accounts/ours', '')}`,
        body: Buffer.concat(chunks).toString('latin1'),
      });
      const [, result] = RESULTS.find(([pattern]) => pattern.test(path)) ?? [undefined, {}];
      const { status, errors } = result === undefined ? NOT_THERE : { status: 200, errors: [] };
      response.writeHead(status, { 'content-type': 'application/json' });
      response.end(JSON.stringify({ success: status === 200, errors, messages: [], result: result ?? null }));
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    env: {
      CLOUDFLARE_API_BASE_URL: url,
      CLOUDFLARE_API_TOKEN: 'none',
      CLOUDFLARE_ACCOUNT_ID: 'ours',
      CLOUDFLARE_CF_FETCH_ENABLED: 'false',
      WRANGLER_SEND_METRICS: 'false',
      WRANGLER_SEND_ERROR_REPORTS: 'false',
      npm_config_registry: url, // it asks for newer versions of itself
      CI: '1',
    },
    asked,
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
