/** Deno: a process that stays, with Deno's own server. */
import { endsWithin } from '../runtime/sleep.ts';
import type { Sluice } from '../sluice.ts';
import { type Answer, type Listening, type Place, type Served, type ServeOptions, serveResident } from './server.ts';

export { type Ending, type RunOptions, run } from './resident.ts';
export type { Served, ServeOptions };

/** As much of Deno as is used here: its types are no dependency. */
interface DenoRuntime {
  serve(options: object, answer: (request: Request) => Promise<Response>): DenoServer;
}

interface DenoServer {
  addr: { port: number };
  finished: Promise<void>;
  shutdown(): Promise<void>;
}

/**
 * Answers over HTTP, and delivers messages as `run` does, until the signal is aborted or it is closed.
 * @throws BadSettings; Error where the port is taken
 * @example const { url, closed } = await serve(sluice, { port: 8787, signal: stopping.signal })
 */
export function serve<Env extends object>(sluice: Sluice<Env>, options: ServeOptions<Env> = {}): Promise<Served> {
  return serveResident(sluice, options, listen);
}

async function listen({ port, hostname }: Place, answer: Answer): Promise<Listening> {
  const { Deno } = globalThis as unknown as { Deno: DenoRuntime };
  const cut = new AbortController();
  const onListen = () => {}; // else it prints where it listens
  const place = { port, ...(hostname === undefined ? {} : { hostname }) };
  const server = Deno.serve({ ...place, signal: cut.signal, onListen }, answer);
  return {
    port: server.addr.port,
    async stop(graceMs) {
      if (await endsWithin(server.shutdown(), graceMs)) return;
      cut.abort();
      await server.finished;
    },
  };
}
