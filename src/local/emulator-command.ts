/** `npm run emulator`: only Redis and its REST API, at the address that wrangler.toml names, for `npx wrangler dev`. */
import { existsSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { startTicker } from './cron.ts';
import { startEmulator } from './emulator/server.ts';
import { startRedis } from './redis.ts';
import { tokensSetting } from './stack.ts';

const HELP = `Usage: npm run emulator [-- options]

Starts Redis and the Upstash REST API in front of it. Then, in another terminal: npx wrangler dev

  --port N      port of the REST API (default 8079, as in wrangler.toml)
  --redis URL   a real Redis instead of the embedded one; "auto" looks for a redis-server on the PATH
  --cron URL    fire the cron handler of the Worker at this URL every minute, such as http://localhost:8787
  --help        this text

Where there is no .dev.vars it writes one, with a token for local use only.
`;

/** Known to everybody: it opens nothing but an emulator on this machine. */
const LOCAL_TOKEN = 'local';

const { values: flags } = parseArgs({
  options: {
    port: { type: 'string', default: '8079' },
    redis: { type: 'string' },
    cron: { type: 'string' },
    help: { type: 'boolean' },
  },
});

async function main(): Promise<void> {
  const redis = await startRedis(flags.redis);
  const { commandsProcessed } = redis;
  const emulator = await startEmulator({
    url: redis.url,
    token: LOCAL_TOKEN,
    port: Number(flags.port),
    commandsProcessed,
  });
  if (!existsSync('.dev.vars')) {
    writeFileSync(
      '.dev.vars',
      `UPSTASH_REDIS_REST_TOKEN=${LOCAL_TOKEN}\nSLUICE_TOKENS='${tokensSetting(LOCAL_TOKEN)}'\n`,
    );
    console.log(`wrote .dev.vars; the API's bearer token is "${LOCAL_TOKEN}"`);
  }
  const ticker = flags.cron
    ? startTicker(tickAt(flags.cron), (error) => console.error(`cron: ${String(error)}`))
    : undefined;
  const stop = async () => {
    ticker?.stop();
    await emulator.close();
    await redis.close();
  };
  process.once('SIGINT', stop);
  process.once('SIGTERM', stop);
  console.log(`Upstash REST API at ${emulator.url}, on ${redis.name} Redis, token "${LOCAL_TOKEN}". Ctrl-C ends it.`);
}

/** The address at which wrangler dev fires a cron handler. */
function tickAt(url: string): () => Promise<void> {
  return async () => {
    const answer = await fetch(new URL('/cdn-cgi/local/scheduled?cron=*+*+*+*+*', url));
    if (!answer.ok) throw new Error(`the Worker answered ${answer.status}`);
  };
}

if (flags.help) console.log(HELP);
else await main();
