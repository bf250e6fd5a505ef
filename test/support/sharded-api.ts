// The HTTP API of an engine on several shards, without a server: each request is a caller of its own, which wakes no drain.
import type { Engine } from '../../src/engine.ts';
import { createApp } from '../../src/http/app.ts';
import { api } from '../../src/http/functions.ts';
import { Invocation } from '../../src/runtime/invocation.ts';
import { FLOATING } from '../../src/runtime/wait-until.ts';
import { TOKEN } from './sharded.ts';

export interface Answered {
  status: number;
  // biome-ignore lint/suspicious/noExplicitAny: each test knows what it asked for
  body: any;
  text: string;
  /** The shards that it names as not answering. */
  away: string | null;
}

/** As clients and requests of tests send. */
export type Fetching = (url: string, init?: RequestInit) => Promise<Response>;

export function fetcherOf(engine: Engine): Fetching {
  const app = createApp(api, () => engine.under({ invocation: new Invocation() }));
  return async (url, init) => app.request(url, init, {}, FLOATING as ExecutionContext);
}

export function callerOf(engine: Engine): (call: string, body?: object) => Promise<Answered> {
  const send = fetcherOf(engine);
  return async (call, body) => {
    const [method = '', path = ''] = call.split(' ');
    const headers = { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json' };
    const init = { method, headers, ...(body && { body: JSON.stringify(body) }) };
    const answer = await send(`http://sluice.test${path}`, init);
    const text = await answer.text();
    const isJson = /json/.test(answer.headers.get('content-type') ?? '');
    return {
      status: answer.status,
      body: isJson ? JSON.parse(text) : undefined,
      text,
      away: answer.headers.get('sluice-away'),
    };
  };
}
