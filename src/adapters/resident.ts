/** What the adapters of platforms on which a process stays have in common: the settings, the loop, and the server around it. */
import { reopenEngine } from '../engine/makings.ts';
import { Resident, type ResidentOptions, untilAborted } from '../engine/resident.ts';
import type { Connect } from '../redis/send.ts';
import { processEnv } from '../runtime/environment.ts';
import { openFloating } from '../runtime/floating.ts';
import { endsWithin } from '../runtime/sleep.ts';
import type { Sluice } from '../sluice.ts';
import { serveDashboard } from './dashboard.ts';
import { holdEnvironment } from './environment.ts';

export interface RunOptions<Env extends object> extends ResidentOptions {
  /** The settings. Default: the environment of the process. */
  env?: Env | undefined;
}

export interface ServeOptions<Env extends object> extends RunOptions<Env> {
  /** Default: `PORT` of the environment, else 8787. 0 takes a free one. */
  port?: number | undefined;
  /** Default: every address of this machine. */
  hostname?: string | undefined;
}

export interface Served {
  /** Such as `http://localhost:8787`. */
  readonly url: string;
  /** Resolves when all has ended: after `close`, or the signal. */
  readonly closed: Promise<void>;
  /** Ends it as the signal does. @returns `closed` */
  close(): Promise<void>;
}

/** Begins to listen. */
type Listen = (
  place: { port: number; hostname: string | undefined },
  answer: (request: Request) => Promise<Response>,
) => Promise<Listening>;

/** What a platform's server is asked for. */
export interface Listening {
  port: number;
  /** Takes no new connection, and cuts those off that have no answer after the grace. */
  stop(graceMs: number): Promise<void>;
}

const DEFAULT_PORT = 8_787;
const GRACE_MS = 10_000;
/** No platform counts subrequests here. */
const DEFAULTS = { SLUICE_DRAIN_REQUESTS: '10000000' };

/** The settings of a process that stays. */
export const residentEnvironment = <Env extends object>(given?: Env): Env => holdEnvironment(DEFAULTS, given)();

/** The loop that each Sluice has in this process. */
const loops = new WeakMap<object, Resident>();

/** @param connect left out: by fetch. @throws BadSettings; Error where a loop works already: with two there would be no one concurrency */
export function openResident<Env extends object>(
  sluice: Sluice<Env>,
  given: Env = processEnv() as Env,
  connect?: Connect,
): Resident {
  if (loops.get(sluice)?.isOver === false)
    throw new Error('this Sluice is at work here already: call run or serve once');
  const settings = residentEnvironment(given);
  // Code of the process may enqueue with either of them.
  const resident = new Resident((drainers) => reopenEngine(sluice, [settings, given], { drainers, connect }));
  loops.set(sluice, resident);
  return resident;
}

/**
 * Delivers messages in this process until the signal is aborted, as `run` of `sluice/node` does, with the runtime's own fetch.
 * @returns when what was begun has ended, or the grace is over; without a signal never
 * @throws BadSettings
 * @example await run(sluice, { signal: stopping.signal, graceMs: 10_000 })
 */
export async function run<Env extends object>(
  sluice: Sluice<Env>,
  { env, ...options }: RunOptions<Env> = {},
): Promise<void> {
  await openResident(sluice, env).run(options);
}

/** Answers requests and delivers messages until it is closed. @throws BadSettings, and what `listen` throws */
export async function serveResident<Env extends object>(
  sluice: Sluice<Env>,
  { env, signal, graceMs = GRACE_MS, port, hostname }: ServeOptions<Env>,
  listen: Listen,
  connect?: Connect,
): Promise<Served> {
  const settings = residentEnvironment(env);
  const floating = openFloating();
  const dashboard = serveDashboard();
  const { PORT = DEFAULT_PORT } = settings as { PORT?: string };
  const opened = Promise.withResolvers<void>();
  const listening = await listen({ port: port ?? Number(PORT), hostname }, async (request) => {
    await opened.promise; // what comes before the loop is there would drain by itself
    return (await dashboard(request)) ?? sluice.fetch(request, settings, floating);
  });
  let resident: Resident;
  try {
    resident = openResident(sluice, env, connect);
  } catch (error) {
    await listening.stop(0);
    throw error;
  }
  opened.resolve();
  const closing = new AbortController();
  const stopping = signal ? AbortSignal.any([closing.signal, signal]) : closing.signal;
  const running = resident.run({ signal: stopping, graceMs });
  const closed = untilAborted(stopping).then(async () => {
    const endsAt = Date.now() + graceMs;
    await Promise.all([running, listening.stop(graceMs)]);
    await endsWithin(floating.settled(), endsAt - Date.now()); // work behind answers
  });
  const close = () => {
    closing.abort();
    return closed;
  };
  return { url: `http://${hostOf(hostname)}:${listening.port}`, closed, close };
}

/** As a URL has it; every address of this machine is `localhost` too. */
function hostOf(hostname = 'localhost'): string {
  if (hostname === '0.0.0.0' || hostname === '::') return 'localhost';
  return hostname.includes(':') ? `[${hostname}]` : hostname;
}
