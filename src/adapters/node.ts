/** Node: a process that stays, with a server of its own or in that of an application. */
import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { connect } from '../redis/undici.ts';
import { endsWithin } from '../runtime/sleep.ts';
import type { Sluice } from '../sluice.ts';
import { serveDashboard } from './dashboard.ts';
import { moveFrom, moveTo } from './mount.ts';
import { listenBy } from './node-http.ts';
import { type Ending, openResident, type RunOptions, residentEnvironment } from './resident.ts';
import { type Answer, type Listening, type Place, type Served, type ServeOptions, serveResident } from './server.ts';

export type { Ending, RunOptions, Served, ServeOptions };

/**
 * Delivers messages in this process until the signal is aborted: one loop for all of it, woken by what is enqueued here, which does
 * what cron does, too. Then it takes nothing more, gives handlers that run the grace, and gives back what they have not ended. What
 * fails goes to the log, and the loop goes on. Call it before anything is enqueued, so that nothing else drains here.
 * @param sluice of createSluice
 * @param options `{ env, signal, graceMs }`; the environment of the process, no signal, and 10 s where they are left out
 * @returns when all of that is over: `{ cutOff, isSettled }`; without a signal never
 * @throws BadSettings
 * @example await run(sluice, { signal: stopping.signal, graceMs: 10_000 })
 */
export async function run<Env extends object>(
  sluice: Sluice<Env>,
  { env, ...options }: RunOptions<Env> = {},
): Promise<Ending> {
  return openResident(sluice, env, connect).run(options);
}

/**
 * Answers over HTTP, and delivers messages as `run` does, until the signal is aborted or it is closed.
 * @returns when it listens: `{ url, closed, close() }`
 * @throws BadSettings; Error where the port is taken
 * @example const { url, closed } = await serve(sluice, { port: 8787, signal: stopping.signal })
 */
export function serve<Env extends object>(sluice: Sluice<Env>, options: ServeOptions<Env> = {}): Promise<Served> {
  return serveResident(sluice, options, listen, connect);
}

export interface ListenerOptions<Env extends object> {
  /** The settings. Default: the environment of the process. */
  env?: Env | undefined;
  /** The path below which the application has it, such as `/sluice`, whether or not that takes it off. */
  basePath?: string | undefined;
}

/**
 * A listener for the server of an application: `node:http`, Express, Fastify's raw requests. It wants the body as it came, so it goes
 * before what parses bodies. It delivers nothing: `run` does.
 * @example app.use('/sluice', toListener(sluice, { basePath: '/sluice' }))
 */
export function toListener<Env extends object>(
  sluice: Sluice<Env>,
  { env, basePath = '' }: ListenerOptions<Env> = {},
): RequestListener {
  const dashboard = serveDashboard(basePath);
  let settings: Env | undefined; // read at the first request, as everywhere
  return listenBy(async (request) => {
    settings ??= residentEnvironment(env);
    const inside = moveFrom(basePath, request);
    const page = inside.body ? undefined : await dashboard(moveTo(basePath + new URL(inside.url).pathname, inside));
    return page ?? sluice.fetch(inside, settings);
  });
}

async function listen({ port, hostname }: Place, answer: Answer): Promise<Listening> {
  let isStopping = false;
  const server = createServer(listenBy(answer));
  server.on('request', (_request, response) => {
    response.once('close', () => {
      if (isStopping) server.closeIdleConnections();
    });
  });
  server.listen(port, hostname);
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    async stop(graceMs) {
      isStopping = true;
      const closed = once(server, 'close');
      server.close();
      if (!(await endsWithin(closed, graceMs))) server.closeAllConnections();
      await closed;
    },
  };
}
