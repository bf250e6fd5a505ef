/** `sluice redis-http`: Redis, or a cluster of it, over HTTP, until it is told to end. It talks to no deployment. */
import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import type { Address } from '../../redis-http/address.ts';
import type { Front, FrontOptions } from '../../redis-http/front.ts';
import { EXIT, Failure, UsageError } from '../failure.ts';
import { duration, examples, whole, withDefault } from '../options.ts';
import { openOutput } from '../output.ts';
import { untilStopped } from '../poll.ts';
import { settingsOf } from '../settings.ts';
import { lengthOf } from '../time.ts';

interface Flags extends Pick<FrontOptions, 'port' | 'host' | 'maxBytes' | 'maxCommands' | 'concurrency'> {
  redis?: string;
  tokenFile?: string;
  timeout: number;
  grace: number;
  allow?: string[];
}

const EXPLAINED = `
Redis is redis://host:port, rediss://host:port (TLS), redis+sentinel://host:port,host:port/name or redis+cluster://host:port,host:port;
with "rediss" the last two use TLS too. A URL with a password comes from REDIS_URL: on the command line others could read it.

The token, 32 characters or more, comes from REDIS_HTTP_TOKEN or from a file; two of them, with a blank or a line between, are both taken.

Commands that read and write data are passed on, and no others: FLUSHALL, KEYS, CONFIG, SCRIPT FLUSH and their like are refused. What
scripts may call is for Redis to say, by the user in its URL.

GET /health is for everybody: ok, degraded (some masters of a cluster are away), unreachable. GET /metrics takes the token.

SIGTERM or SIGINT: no more connections, what is under way has the grace to end. A second one ends it at once.`;

export function addRedisHttp(program: Command): void {
  const command = program
    .command('redis-http')
    .description('put the REST API that Sluice speaks in front of a Redis, a replica set or a cluster')
    .option('--redis <url>', 'where Redis is (default: REDIS_URL)')
    .option('--token-file <file>', 'a file with the token that callers need (default: REDIS_HTTP_TOKEN)')
    .addOption(withDefault('--port <n>', 'port to listen at; 0 picks a free one', whole(0, 65_535), 8_080, '8080'))
    .option('--host <address>', 'address to listen at; 0.0.0.0 is all of this machine', '127.0.0.1')
    .addOption(
      withDefault(
        '--max-bytes <n>',
        'the most that a request may have',
        whole(1_024, 536_870_912),
        10_485_760,
        '10 MiB',
      ),
    )
    .addOption(withDefault('--max-commands <n>', 'of one request', whole(1, 100_000), 1_000, '1000'))
    .addOption(withDefault('--concurrency <n>', 'requests at once; more get 429', whole(1, 100_000), 500, '500'))
    .addOption(withDefault('--timeout <duration>', 'for Redis to answer', duration, 10_000, '10s'))
    .addOption(
      withDefault('--grace <duration>', 'for what is under way when it is told to end', duration, 10_000, '10s'),
    )
    .option('--allow <commands...>', 'commands to pass on besides, such as flushdb or "script|flush"')
    .addHelpText(
      'after',
      `${EXPLAINED}\n${examples(
        'REDIS_HTTP_TOKEN=… sluice redis-http --redis redis://127.0.0.1:6379',
        'sluice redis-http --redis redis+cluster://10.0.0.1:6379,10.0.0.2:6379 --token-file /run/secrets/redis-http --host 0.0.0.0',
      )}`,
    )
    .action((flags: Flags) => serve(flags, command));
}

async function serve(
  { redis, tokenFile, timeout, grace, allow = [], ...flags }: Flags,
  command: Command,
): Promise<void> {
  const { json, isTokenShown } = settingsOf(command);
  if (isTokenShown)
    throw new UsageError('not --token: others could read it. Set REDIS_HTTP_TOKEN, or give --token-file');
  const out = openOutput(json);
  const { readAddress, readTokens, startFront } = await load();
  const signal = untilStopped();
  const address = read(() => readAddress(urlOf(redis)));
  const front = await startFront({
    ...flags,
    address,
    knows: read(() => readTokens(tokenOf(tokenFile))),
    timeoutMs: timeout,
    allow,
    onError: (error) => out.say(`error: ${error instanceof Error ? error.stack : String(error)}`),
  }).catch(explain);
  await out.emit({ event: 'started', url: front.url, redis: address.kind, ...front.reach() }, () =>
    welcome(front, address),
  );
  await new Promise((resolve) => signal.addEventListener('abort', resolve));
  await out.emit({ event: 'stopping', graceMs: grace }, () => `stopping; requests under way have ${lengthOf(grace)}`);
  const cutOff = await front.close(grace);
  await out.emit({ event: 'stopped', cutOff }, () =>
    cutOff === 0 ? 'stopped' : `stopped; the grace was over for ${cutOff}`,
  );
  process.exitCode = cutOff === 0 ? EXIT.ok : EXIT.failed;
}

/** Only here: nothing else of the command line needs them, and ioredis is the project's to have. */
async function load() {
  try {
    const [{ readAddress }, { readTokens }, { startFront }] = await Promise.all([
      import('../../redis-http/address.ts'),
      import('../../redis-http/tokens.ts'),
      import('../../redis-http/front.ts'),
    ]);
    return { readAddress, readTokens, startFront };
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code !== 'ERR_MODULE_NOT_FOUND' || !message.includes("'ioredis'")) throw error;
    throw new Failure('it speaks to Redis by the package ioredis, which is not installed: npm install ioredis');
  }
}

function urlOf(given: string | undefined): string {
  if (given !== undefined && /@|password=/i.test(given))
    throw new UsageError('the URL of Redis has a password: set REDIS_URL to it, because others could read it here');
  const url = given ?? process.env.REDIS_URL;
  if (!url) throw new UsageError('no Redis: give --redis, or set REDIS_URL');
  return url;
}

function tokenOf(file: string | undefined): string {
  if (file === undefined) {
    const { REDIS_HTTP_TOKEN: token } = process.env;
    if (!token)
      throw new UsageError('no token: set REDIS_HTTP_TOKEN, or give --token-file; `openssl rand -hex 32` makes one');
    return token;
  }
  try {
    return readFileSync(file, 'utf8');
  } catch {
    throw new UsageError(`cannot read --token-file ${file}`);
  }
}

function read<Value>(reading: () => Value): Value {
  try {
    return reading();
  } catch (error) {
    throw error instanceof RangeError ? new UsageError(error.message) : error;
  }
}

function explain(error: NodeJS.ErrnoException): never {
  if (error instanceof RangeError) throw new UsageError(error.message);
  if (error.code === 'EADDRINUSE')
    throw new Failure(`${error.message}: another program listens there; --port takes another`);
  throw error.code === undefined ? error : new Failure(error.message);
}

function welcome(front: Front, { kind }: Address): string {
  const { up, masters } = front.reach();
  const words = { single: 'a Redis', sentinel: 'a primary that sentinels name', cluster: `a cluster of ${masters}` }[
    kind
  ];
  const state = up >= masters ? '' : up > 0 ? `, of which ${up} answer` : ', which does not answer yet';
  return `${front.url} in front of ${words}${state}`;
}
