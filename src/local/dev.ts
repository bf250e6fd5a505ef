/** `npm run dev`: Redis, the REST API in front of it, the Worker and its cron, until it is stopped. */
import { randomBytes } from 'node:crypto';
import { portOf, runCommand } from './command.ts';
import { startTicker } from './cron.ts';
import { GITHUB_SECRET } from './demo/github.ts';
import { startLoad } from './load/load.ts';
import { startWorld } from './load/world.ts';
import { startStack } from './stack.ts';

const HELP = `Usage: npm run dev [-- options]

Starts everything on this machine and stays: no account, no network. The Worker is the bundle that is deployed.

  --port N      port of the Worker; 0 picks a free one (default 8787)
  --redis URL   a real Redis (redis://host:port, or redis+cluster://host:port,…) instead of the embedded one;
                "auto" looks for a redis-server on the PATH
  --var N:VALUE a binding of the Worker, such as the secret of a source, as with wrangler dev; it may come several times
  --demo        keep a believable load running: several queues, failures, dead letters, delayed messages,
                schedules, rings, webhooks in and out, a receiver that is down
  --json        print one line of JSON when ready: {"url", "redisUrl", "redisToken", "token", "dashboard"}
  --help        this text
`;

const OPTIONS = {
  port: { type: 'string', default: '8787' },
  redis: { type: 'string' },
  var: { type: 'string', multiple: true },
  demo: { type: 'boolean' },
  json: { type: 'boolean' },
} as const;

await runCommand(HELP, OPTIONS, async (flags) => {
  const port = portOf(flags.port);
  const world = flags.demo ? await startWorld() : undefined;
  const env = {
    WEBHOOK_OUT_SECRETS: process.env.WEBHOOK_OUT_SECRETS ?? `whsec_${randomBytes(32).toString('base64')}`,
    ...(world ? { OUTBOX_URL: world.url, GITHUB_WEBHOOK_SECRET: GITHUB_SECRET } : {}),
    ...bindingsOf(flags.var),
  };
  const stack = await startStack({ redis: flags.redis, env, log: (line) => console.error(line) });
  const worker = await stack.startWorker(port);
  const load = world ? startLoad(worker.url, stack.token, world.url) : undefined;
  const ticker = startTicker(worker.tick, (error) => console.error(`cron: ${String(error)}`));
  const stop = async () => {
    ticker.stop();
    await load?.stop();
    await stack.close();
    await world?.close();
  };
  process.once('SIGINT', stop);
  process.once('SIGTERM', stop);

  const { url: redisUrl, token: redisToken } = stack.emulator;
  const dashboard = `${worker.url}/`;
  if (flags.json) console.log(JSON.stringify({ url: worker.url, redisUrl, redisToken, token: stack.token, dashboard }));
  else console.log(welcome(worker.url, stack.token, stack.redis, redisUrl, redisToken));
});

/** @throws RangeError that does not show what it got: it may be a secret */
function bindingsOf(texts: string[] = []): Record<string, string> {
  return Object.fromEntries(
    texts.map((text) => {
      const [, name, value] = /^(\w+):(.*)$/s.exec(text) ?? [];
      if (name === undefined || value === undefined) throw new RangeError('--var must be NAME:value');
      return [name, value];
    }),
  );
}

function welcome(url: string, token: string, redis: string, redisUrl: string, redisToken: string): string {
  return `Sluice is ready at ${url}, on ${redis} Redis. Cron ticks every minute. Ctrl-C ends it; each start has a new token.

The dashboard is ${url}/ and takes the token
  ${token}

A first message:

  export TOKEN=${token}
  curl ${url}/v1/queues/confirmation.email/messages \\
    -H "authorization: Bearer $TOKEN" \\
    -d '{"body": {"to": "ada@example.com", "token": "42"}}'

Redis over HTTP:  UPSTASH_REDIS_REST_URL=${redisUrl} UPSTASH_REDIS_REST_TOKEN=${redisToken}`;
}
