/** `npx node src/dev/emulator-command.ts`: only Redis and its REST API, for `npx wrangler dev`, which finds it by the .dev.vars that is written here. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { portOf, runCommand, sentence } from './command.ts';
import { startTicker, tickAt } from './cron.ts';
import type { Limits } from './emulator/limits.ts';
import { startEmulator } from './emulator/server.ts';
import { startRedis } from './redis.ts';
import { newSecret, newSigningSecret } from './stack.ts';

const HELP = `Usage: npx node src/dev/emulator-command.ts [options]

Starts Redis and the Upstash REST API in front of it. Then, in another terminal: npx wrangler dev

  --port N      port of the REST API (default 8079)
  --redis URL   a real Redis instead of the embedded one; "auto" looks for a redis-server on the PATH
  --cron URL    fire the cron handler of the Worker at this URL every minute, such as http://localhost:8787
  --help        this text

Limits of a plan of the service; without them there are none but that of a request, and INFO of the embedded Redis counts
neither commands nor bytes, so that SLUICE_MONTHLY_COMMANDS warns of nothing:
  --monthly-commands N      with the last one everything is refused, until the emulator is started again
  --capacity-bytes N        of all data: growing writes are refused above it, in the middle of scripts too
  --scripts-when-full HOW   begun (default), or refused: a full database begins no script
  --record-bytes N          of one key's value
  --key-bytes N             of one key's name
  --request-bytes N         of one command, and of one result (default 10485760)
  --commands-per-second N   what comes faster waits

Where there is no .dev.vars it writes one, which wrangler dev reads: this address, a token for the API,
deliveries to this machine, errors in the terminal. Where there is one it must name this address. Of what
it holds wrangler dev takes what wrangler.toml names under [secrets] or [vars].
`;

/** Of the emulator. Known to everybody: it opens nothing but what is on this machine. */
const LOCAL_TOKEN = 'local';
const VARS = '.dev.vars';

const OPTIONS = {
  port: { type: 'string', default: '8079' },
  redis: { type: 'string' },
  cron: { type: 'string' },
  'monthly-commands': { type: 'string' },
  'capacity-bytes': { type: 'string' },
  'scripts-when-full': { type: 'string' },
  'record-bytes': { type: 'string' },
  'key-bytes': { type: 'string' },
  'request-bytes': { type: 'string' },
  'commands-per-second': { type: 'string' },
} as const;

await runCommand(HELP, OPTIONS, async (flags) => {
  const port = portOf(flags.port);
  const limits = parseLimits(flags);
  const redis = await startRedis(flags.redis);
  const emulator = await startEmulator({ ...redis, token: LOCAL_TOKEN, port, limits });
  if (!existsSync(VARS)) {
    writeFileSync(VARS, devVars(emulator.url));
    console.log(`wrote ${VARS}`);
  }
  const token = /^SLUICE_TOKEN=(.*)$/m.exec(readFileSync(VARS, 'utf8'))?.[1];
  if (token) console.log(`The API's bearer token: ${token}`);
  else console.error(`${VARS} has no SLUICE_TOKEN: the API is closed. Without the file, a new one is written.`);
  const ticker = flags.cron
    ? startTicker(tickAt(flags.cron), (error) => console.error(`cron: ${sentence(error)}`))
    : undefined;
  const stop = async () => {
    ticker?.stop();
    await emulator.close();
    await redis.close();
  };
  process.once('SIGINT', stop);
  process.once('SIGTERM', stop);
  console.log(`Upstash REST API at ${emulator.url}, on ${redis.name} Redis, token "${LOCAL_TOKEN}". Ctrl-C ends it.`);
});

type Flags = Partial<Record<keyof typeof OPTIONS, string>>;

/** @throws RangeError that names the option */
function parseLimits(flags: Flags): Limits {
  const number = (name: keyof Flags) => {
    const text = flags[name];
    if (text === undefined || /^[1-9]\d*$/.test(text)) return text === undefined ? undefined : Number(text);
    throw new RangeError(`--${name} must be a whole number above 0; got ${JSON.stringify(text)}`);
  };
  const scriptsWhenFull = flags['scripts-when-full'];
  if (scriptsWhenFull !== undefined && scriptsWhenFull !== 'begun' && scriptsWhenFull !== 'refused') {
    throw new RangeError(`--scripts-when-full must be begun or refused; got ${JSON.stringify(scriptsWhenFull)}`);
  }
  return {
    monthlyCommands: number('monthly-commands'),
    capacityBytes: number('capacity-bytes'),
    scriptsWhenFull,
    recordBytes: number('record-bytes'),
    keyBytes: number('key-bytes'),
    requestBytes: number('request-bytes'),
    commandsPerSecond: number('commands-per-second'),
  };
}

function devVars(url: string): string {
  const vars = {
    UPSTASH_REDIS_REST_URL: url,
    UPSTASH_REDIS_REST_TOKEN: LOCAL_TOKEN,
    SLUICE_TOKEN: newSecret(),
    SLUICE_DESTINATION_LOCAL: 'true', // receivers are on this machine too
    SLUICE_LOG_ERRORS: 'true',
    WEBHOOK_OUT_SECRETS: newSigningSecret(), // of the example queue webhook.out
  };
  return Object.entries(vars)
    .map(([name, value]) => `${name}=${value}\n`)
    .join('');
}
