/** Bun: a process that stays, with Bun's own server. */
import { endsWithin } from '../runtime/sleep.ts';
import type { Sluice } from '../sluice.ts';
import { type Answer, type Listening, type Place, type Served, type ServeOptions, serveResident } from './server.ts';

export { type Ending, type RunOptions, run } from './resident.ts';
export type { Served, ServeOptions };

/** As much of Bun as is used here: its types are no dependency. */
interface BunRuntime {
  serve(options: object): { port: number; stop(cutsOff?: boolean): Promise<void> };
}

/** Bun's most, seconds: a drain that somebody waits for says nothing for 25. */
const IDLE_S = 255;

/**
 * Answers over HTTP, and delivers messages as `run` does, until the signal is aborted or it is closed.
 * @throws BadSettings; Error where the port is taken
 * @example const { url, closed } = await serve(sluice, { port: 8787, signal: stopping.signal })
 */
export function serve<Env extends object>(sluice: Sluice<Env>, options: ServeOptions<Env> = {}): Promise<Served> {
  return serveResident(sluice, options, listen);
}

async function listen({ port, hostname }: Place, answer: Answer): Promise<Listening> {
  const { Bun } = globalThis as unknown as { Bun: BunRuntime };
  const server = Bun.serve({
    port,
    idleTimeout: IDLE_S,
    ...(hostname === undefined ? {} : { hostname }),
    fetch: answer,
    development: false, // else whoever has an error answered sees the source around it
    reusePort: false, // which it would be without development: a second program would share the port in silence
  });
  return {
    port: server.port,
    async stop(graceMs) {
      if (!(await endsWithin(server.stop(), graceMs))) await server.stop(true);
    },
  };
}
