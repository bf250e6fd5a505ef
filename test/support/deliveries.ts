// Deliveries past the guard, to a receiver on this machine: Node, Bun and Deno run this very file; it prints how each ended.

import type { lookup } from 'node:dns';
import process from 'node:process';
import { openGuard } from '../../src/delivery/guard.ts';
import { withSenders } from '../../src/delivery/http.ts';
import type { Send } from '../../src/delivery/send.ts';
import { readHosts } from '../../src/formats/address.ts';
import { utf8 } from '../../src/formats/bytes.ts';
import { isPublicAddress } from '../../src/formats/public-address.ts';
import { defineQueue } from '../../src/index.ts';
import { CERTIFICATE } from './certificate.ts';

/** Each delivery by name: the status of its answer, or its error. */
export type Ends = Record<string, string>;

const HERE = '127.0.0.1';
const INSIDE = '10.0.0.7';
const { PORT = '' } = process.env;
const ends: Ends = {};

/** What names resolve to, until it is set to something else. */
let answers = [HERE];
const resolve = ((_host: string, _options: object, callback: (error: null, found: object[]) => void) => {
  const found = answers.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }));
  setTimeout(() => callback(null, found), 1);
}) as unknown as typeof lookup;

/** For this machine a receiver on it stands for the internet; everything else is judged as it is. */
const isPublic = (address: string) => address === HERE || isPublicAddress(address);
const open = (judge?: typeof isPublic): Send =>
  openGuard({ resolve, ca: CERTIFICATE, ...(judge ? { isPublic: judge } : {}) });

async function deliver(name: string, send: Send, path = '/', host = 'partner.example.net'): Promise<void> {
  const request = {
    method: 'POST',
    headers: new Headers({ 'content-type': 'text/plain' }),
    body: utf8(name),
    signal: AbortSignal.timeout(5_000),
  };
  try {
    const { status, body } = await send(new URL(`https://${host}:${PORT}${path}`), request);
    await new Response(body as ReadableStream<Uint8Array<ArrayBuffer>>).text();
    await new Promise((resolve) => setImmediate(resolve)); // from then on its connection serves the next one
    ends[name] = String(status);
  } catch (error) {
    ends[name] = String(error);
  }
}

const guarded = open(isPublic);
await deliver('public', guarded);
answers = [INSIDE];
await deliver('rebound, by the connection of before', guarded, '/last');
await deliver('rebound, by a new one', guarded);
answers = [HERE, INSIDE];
await deliver('one of two', open(isPublic));
answers = ['::1', HERE];
await deliver('one of two families', open(isPublic));
answers = [HERE];
await deliver('this machine', open());
await deliver('another name than the certificate has', open(isPublic), '/', 'other.example.org');
let looks = 0;
const once = () => looks++ === 0;
await deliver('an address that turns out otherwise', open(once));

// Past what each runtime has under `#send`: the name is listed, and leads inside all the same.
const queue = defineQueue('out', { destination: true });
const rules = { hosts: readHosts(`localhost:${PORT}`) ?? [], local: false };
const { handler } = withSenders(new Map([['out', queue]]), rules).get('out') ?? {};
const message = { id: 'm', body: 1, attempt: 1, headers: {}, destination: { url: `https://localhost:${PORT}/` } };
const context = { env: {}, signal: AbortSignal.timeout(5_000) };
ends.listed = await Promise.resolve(handler?.(message as never, context as never)).then(String, String);

console.log(JSON.stringify(ends));
process.exit(0); // connections that are kept for the next delivery may keep it
