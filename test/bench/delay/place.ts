/** A place from farther away: the same Redis and the same emulator, all behind one proxy that delays, over TCP as over HTTP. */
import { connect } from 'node:net';
import { join } from 'node:path';
import { connect as connectByHttp } from '../../../src/redis/undici.ts';
import { startChild } from '../child.ts';
import { type Place, pause } from '../contender.ts';

export interface FarPlace extends Place {
  setRoundTrip(ms: number): Promise<void>;
  /** What a round trip takes now, ms: of several PINGs over a bare socket. */
  ping(): Promise<number[]>;
  /** What a lone PING over HTTP takes, ms, after each such pause. */
  pingAfter(pauses: readonly number[]): Promise<number[]>;
  close(): void;
}

const PINGS = 20;
const TIMEOUT_MS = 5_000;

export async function openFarPlace({ redisUrl, raw, emulator }: Place): Promise<FarPlace> {
  const [redis, http] = [new URL(redisUrl), new URL(emulator.url)];
  const file = join(import.meta.dirname, 'proxy-process.ts');
  const child = await startChild<{ ports: number[] }>('the proxy', file, [redis.port, http.port]);
  redis.port = String(child.first.ports[0]);
  http.port = String(child.first.ports[1]);
  return {
    raw, // what is looked at and cleared is looked at from near
    redisUrl: redis.href,
    emulator: { ...emulator, url: http.origin },
    setRoundTrip: async (roundTripMs) => void (await child.ask({ roundTripMs })),
    ping: () => pingTimes(Number(redis.port)),
    pingAfter: (pauses) => lonePingTimes({ url: http.origin, token: emulator.token }, pauses),
    close: child.end,
  };
}

async function lonePingTimes(to: { url: string; token: string }, pauses: readonly number[]): Promise<number[]> {
  const send = connectByHttp({ ...to, timeoutMs: () => TIMEOUT_MS });
  await send(['PING']); // the connection is open
  const times: number[] = [];
  for (const ms of pauses) {
    await pause(ms);
    const start = performance.now();
    await send(['PING']);
    times.push(performance.now() - start);
  }
  return times;
}

async function pingTimes(port: number): Promise<number[]> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true });
  const times: number[] = [];
  for (let i = -1; i < PINGS; i++) {
    const start = performance.now();
    socket.write('PING\r\n');
    await new Promise((resolve, reject) => socket.once('data', resolve).once('error', reject));
    if (i >= 0) times.push(performance.now() - start);
    socket.removeAllListeners('error');
  }
  socket.destroy();
  return times;
}
