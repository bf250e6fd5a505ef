/** `npm run emulator`: only Redis and its REST API, at the address that wrangler.toml names, for `npx wrangler dev`. */
import { existsSync, writeFileSync } from 'node:fs';
import { portOf, runCommand, sentence } from './command.ts';
import { startTicker, tickAt } from './cron.ts';
import { startEmulator } from './emulator/server.ts';
import { startRedis } from './redis.ts';
import { newSigningSecret, tokensSetting } from './stack.ts';

const HELP = `Usage: npm run emulator [-- options]

Starts Redis and the Upstash REST API in front of it. Then, in another terminal: npx wrangler dev

  --port N      port of the REST API (default 8079, as in wrangler.toml)
  --redis URL   a real Redis instead of the embedded one; "auto" looks for a redis-server on the PATH
  --cron URL    fire the cron handler of the Worker at this URL every minute, such as http://localhost:8787
  --help        this text

Where there is no .dev.vars it writes one, which wrangler dev reads: this address, "local" as the API's
token, deliveries to this machine, errors in the terminal. Where there is one it must name this address.
`;

/** Known to everybody: it opens nothing but an emulator on this machine. */
const LOCAL_TOKEN = 'local';

const OPTIONS = {
  port: { type: 'string', default: '8079' },
  redis: { type: 'string' },
  cron: { type: 'string' },
} as const;

await runCommand(HELP, OPTIONS, async (flags) => {
  const redis = await startRedis(flags.redis);
  const { commandsProcessed } = redis;
  const emulator = await startEmulator({
    url: redis.url,
    token: LOCAL_TOKEN,
    port: portOf(flags.port),
    commandsProcessed,
  });
  if (!existsSync('.dev.vars')) {
    writeFileSync('.dev.vars', devVars(emulator.url));
    console.log(`wrote .dev.vars; the API's bearer token is "${LOCAL_TOKEN}"`);
  }
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

function devVars(url: string): string {
  const vars = {
    UPSTASH_REDIS_REST_URL: url, // whatever wrangler.toml says: that may be a real database by now
    UPSTASH_REDIS_REST_TOKEN: LOCAL_TOKEN,
    SLUICE_TOKENS: `'${tokensSetting(LOCAL_TOKEN)}'`,
    SLUICE_DESTINATION_LOCAL: 'true', // receivers are on this machine too
    SLUICE_LOG_ERRORS: 'true',
    WEBHOOK_OUT_SECRETS: newSigningSecret(), // of the example queue webhook.out
  };
  return Object.entries(vars)
    .map(([name, value]) => `${name}=${value}\n`)
    .join('');
}
