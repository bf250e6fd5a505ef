/** A server around the loop of a process that stays: it answers, and both end in one. */
import { must } from '../config/setting.ts';
import { type Resident, untilAborted } from '../engine/resident.ts';
import type { Connect } from '../redis/send.ts';
import { openFloating } from '../runtime/floating.ts';
import { endsWithin } from '../runtime/sleep.ts';
import type { Sluice } from '../sluice.ts';
import { serveDashboard } from './dashboard.ts';
import { type Ending, openResident, type RunOptions, residentEnvironment } from './resident.ts';

export interface ServeOptions<Env extends object> extends RunOptions<Env> {
  /** Default: `PORT` of the environment, else 8787. 0 takes a free one. */
  port?: number | undefined;
  /** Default: every address of this machine. */
  hostname?: string | undefined;
}

export interface Served {
  /** Such as `http://localhost:8787`. */
  readonly url: string;
  /** Resolves when all has ended, after `close` or the signal: `{ cutOff, isSettled }`. */
  readonly closed: Promise<Ending>;
  /** Ends it as the signal does. @returns `closed` */
  close(): Promise<Ending>;
}

export interface Place {
  port: number;
  hostname: string | undefined;
}

export type Answer = (request: Request) => Promise<Response>;

/** What a platform's server is asked for. */
export interface Listening {
  port: number;
  /** Takes no new connection, and cuts those off that have no answer after the grace. */
  stop(graceMs: number): Promise<void>;
}

const DEFAULT_PORT = 8_787;
const MOST_PORT = 65_535;
const GRACE_MS = 10_000;

/**
 * Answers requests and delivers messages until it is closed.
 * @param listen begins to listen
 * @throws BadSettings, of the port too; Error with the code EADDRINUSE where the port is taken; what `listen` throws
 */
export async function serveResident<Env extends object>(
  sluice: Sluice<Env>,
  { env, signal, graceMs = GRACE_MS, port, hostname }: ServeOptions<Env>,
  listen: (place: Place, answer: Answer) => Promise<Listening>,
  connect?: Connect,
): Promise<Served> {
  const settings = residentEnvironment(env);
  const floating = openFloating();
  const dashboard = serveDashboard();
  const opened = Promise.withResolvers<void>();
  const place = { port: port === undefined ? portIn(settings) : checkPort(port, 'port'), hostname };
  const answer = async (request: Request) => {
    if (!isWhole(request)) return new Response(null, { status: 400 });
    await opened.promise; // what comes before the loop is there would drain by itself
    return (await dashboard(request)) ?? sluice.fetch(request, settings, floating);
  };
  const listening = await listen(place, answer).catch((error: unknown) => refuseTaken(error, place));
  const resident = await openOrStop(() => openResident(sluice, env, connect), listening);
  opened.resolve();
  const closing = new AbortController();
  const stopping = signal ? AbortSignal.any([closing.signal, signal]) : closing.signal;
  const running = resident.run({ signal: stopping, graceMs });
  const closed = untilAborted(stopping).then(async () => {
    const endsAt = Date.now() + graceMs;
    const [ending] = await Promise.all([running, listening.stop(graceMs)]);
    await endsWithin(floating.settled(), Math.max(0, endsAt - Date.now())); // work behind answers
    return ending;
  });
  const close = () => {
    closing.abort();
    return closed;
  };
  return { url: `http://${hostOf(hostname)}:${listening.port}`, closed, close };
}

/**
 * Runtimes put the Host into the URL as it came. With one of these in it, it would bring a path of its own, another than the one that
 * a proxy has judged; and with some there is no URL.
 */
const isWhole = ({ url, headers }: Request) => URL.canParse(url) && !/[/\\?#]/.test(headers.get('host') ?? '');

/** An empty one is none. @throws BadSettings */
const portIn = ({ PORT }: { PORT?: string | number }) =>
  checkPort(PORT === undefined || PORT === '' ? DEFAULT_PORT : Number(PORT), 'PORT');

/** @throws BadSettings */
function checkPort(port: number, name: string): number {
  must(Number.isInteger(port) && port >= 0 && port <= MOST_PORT, name, `a whole number from 0 to ${MOST_PORT}`);
  return port;
}

/** Each runtime has an error of its own for that; Node, Bun and Deno all have this code. */
function refuseTaken(error: unknown, { port }: Place): never {
  const code = 'EADDRINUSE';
  if (!(error instanceof Error) || Reflect.get(error, 'code') !== code) throw error;
  throw Object.assign(new Error(`port ${port} is taken by another program: end that, or set PORT to another`), {
    code,
  });
}

/** @throws what `open` throws, when nothing listens any more */
async function openOrStop(open: () => Resident, listening: Listening): Promise<Resident> {
  try {
    return open();
  } catch (error) {
    await listening.stop(0);
    throw error;
  }
}

/** As a URL has it; every address of this machine is `localhost` too. */
function hostOf(hostname = 'localhost'): string {
  if (hostname === '0.0.0.0' || hostname === '::') return 'localhost';
  return hostname.includes(':') ? `[${hostname}]` : hostname;
}
