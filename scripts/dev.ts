/** `npm run dev`: Redis, the REST API in front of it, the Worker and its cron, until it is stopped. */

import { GITHUB_SECRET } from '../examples/demo/github.ts';
import { startLoad } from '../examples/load/load.ts';
import { startWorld } from '../examples/load/world.ts';
import { buildBundle } from '../src/dev/bundle.ts';
import { portOf, runCommand, sentence } from '../src/dev/command.ts';
import { startTicker } from '../src/dev/cron.ts';
import { openKept } from '../src/dev/kept.ts';
import { newSecret, newSigningSecret } from '../src/dev/secrets.ts';
import { isTheirs, shardCount } from '../src/dev/shards.ts';
import { type Stack, startStack } from '../src/dev/stack.ts';
import { watchFolders } from '../src/dev/watch.ts';
import type { LocalWorker } from '../src/dev/worker.ts';

const HELP = `Usage: npm run dev [-- options]

Starts everything on this machine and stays: no account, no network. The Worker is built as for a deployment, but for the
names of its functions, and anew when a file of it is saved. Its token and its data are kept for the next run.

  --port N      port of the Worker; 0 picks a free one (default 8787)
  --redis URL   a real Redis (redis://host:port, or redis+cluster://host:port,…) instead of the embedded one;
                "auto" looks for a redis-server on the PATH
  --shards N    several databases, each with an address of its own (default: as many as the data has, or 1); of a Redis by
                URL the databases from that of the URL on, of a cluster as many hash tags
  --var N:VALUE a binding of the Worker, such as the secret of a source, as with wrangler dev; it may come several times
  --data DIR    where the token and the data are kept (default .wrangler/sluice); two at once need two
  --fresh       begin anew: another token, no data (that of a Redis by URL is left alone)
  --demo        keep a believable load running: several queues, failures, dead letters, delayed messages,
                schedules, rings, webhooks in and out, a receiver that is down; its data is not kept
  --drainer     bind DRAINER, so that Durable Objects drain
  --json        print one line of JSON when ready: {"url", "redisUrl", "redisToken", "token", "dashboard",
                "shards": [{"name", "redisUrl", "redisToken", "state"}]}
  --help        this text
`;

const OPTIONS = {
  port: { type: 'string', default: '8787' },
  redis: { type: 'string' },
  shards: { type: 'string' },
  var: { type: 'string', multiple: true },
  data: { type: 'string', default: '.wrangler/sluice' },
  fresh: { type: 'boolean' },
  demo: { type: 'boolean' },
  drainer: { type: 'boolean' },
  json: { type: 'boolean' },
} as const;

/** What the Worker is made of. */
const WATCHED = ['functions', 'src'];

await runCommand(HELP, OPTIONS, async (flags) => {
  const port = portOf(flags.port);
  const shards = shardCount(flags.shards);
  const given = bindingsOf(flags.var);
  const world = flags.demo ? await startWorld() : undefined;
  const kept = await openKept(flags.data, { fresh: flags.fresh === true });
  const env = {
    WEBHOOK_OUT_SECRETS: process.env.WEBHOOK_OUT_SECRETS ?? (await kept.secret('webhook-secret', newSigningSecret)),
    SLUICE_LOG_ERRORS: 'true',
    ...(world ? { OUTBOX_URL: world.url, GITHUB_WEBHOOK_SECRET: GITHUB_SECRET } : {}),
    ...given,
  };
  const stack = await startStack({
    redis: flags.redis,
    shards,
    data: world ? undefined : kept.data, // the demo's messages are for receivers that end with it
    token: await kept.secret('token', newSecret),
    env,
    bundle: await buildBundle(undefined, { named: true }),
    drainer: flags.drainer,
    log: (line) => console.error(line),
  });
  const keys = await keyCount(stack);
  const worker = await stack.startWorker(port);
  const load = world ? startLoad(worker.url, stack.token, world.url) : undefined;
  const ticker = startTicker(worker.tick, (error) => console.error(`cron: ${String(error)}`));
  const watcher = watchFolders(WATCHED, () => reload(worker));
  const stop = async () => {
    watcher.stop();
    ticker.stop();
    await load?.stop();
    await stack.close();
    await world?.close();
  };
  process.once('SIGINT', stop);
  process.once('SIGTERM', stop);

  const reached = stack.shards.map(({ name, url, token, state }) => ({
    name,
    redisUrl: url,
    redisToken: token,
    state,
  }));
  const { url: redisUrl, token: redisToken } = stack.emulator;
  const dashboard = `${worker.url}/`;
  if (keys > 0)
    console.error(`kept ${keys} keys from the last run${isTheirs(flags.redis) ? '' : '; --fresh begins anew'}`);
  if (flags.json)
    console.log(
      JSON.stringify({ url: worker.url, redisUrl, redisToken, token: stack.token, dashboard, shards: reached }),
    );
  else console.log(welcome(worker.url, stack, await firstQueue(worker.url, stack.token)));
});

/** The Worker of what is saved now; where that does not build or start, the last one goes on. */
async function reload(worker: LocalWorker): Promise<void> {
  const startedAt = Date.now();
  try {
    await worker.replace(await buildBundle(undefined, { named: true }));
    console.error(`reloaded in ${((Date.now() - startedAt) / 1_000).toFixed(1)} s`);
  } catch (error) {
    console.error(`error: ${sentence(error)}\nthe Worker from before goes on`);
  }
}

/** Of all that is in its databases. */
async function keyCount({ shards }: Stack): Promise<number> {
  const counts = [...new Map(shards.map((shard) => [shard.url, shard])).values()].map(async ({ url, token }) => {
    const answer = await fetch(`${url}/dbsize`, { headers: { authorization: `Bearer ${token}` } });
    return ((await answer.json()) as { result: number }).result;
  });
  return (await Promise.all(counts)).reduce((sum, count) => sum + count, 0);
}

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

/** The one that stands first in the code. */
async function firstQueue(url: string, token: string): Promise<string> {
  const answer = await fetch(`${url}/v1/queues?limit=1`, { headers: { authorization: `Bearer ${token}` } });
  const { queues } = (await answer.json()) as { queues: { queue: string }[] };
  return queues[0]?.queue ?? 'NAME';
}

function welcome(url: string, { token, redis, shards }: Stack, queue: string): string {
  const body = queue === 'confirmation.email' ? '{"to": "ada@example.com", "token": "42"}' : '{}';
  return `Sluice is ready at ${url}, on ${redis} Redis. Cron ticks every minute, a saved file reloads the Worker, Ctrl-C
ends it. A drain may make as many requests as on Workers Paid; on Workers Free, which wrangler.toml is for, it may make 45.

The dashboard is ${url}/ and takes the token
  ${token}

A first message:

  export SLUICE_URL=${url} SLUICE_TOKEN=${token}
  curl $SLUICE_URL/v1/queues/${queue}/messages \\
    -H "authorization: Bearer $SLUICE_TOKEN" \\
    -d '{"body": ${body}}'

${describeShards(shards)}`;
}

function describeShards(shards: Stack['shards']): string {
  const lines = shards.map(({ name, url, token, state }) => {
    const reach = `UPSTASH_REDIS_REST_URL=${url} UPSTASH_REDIS_REST_TOKEN=${token}`;
    if (shards.length === 1) return `Redis over HTTP:  ${reach}`;
    return `  ${name}  ${reach}${state === 'joining' ? '  joining: it is given nothing until it is active' : ''}`;
  });
  return [...(lines.length > 1 ? [`Its ${lines.length} shards over HTTP:`, ''] : []), ...lines].join('\n');
}
