/** The command that estimates: `npm run cost`. */
import { runCommand } from '../../src/dev/command.ts';
import { DAYS, type Estimate, estimate, MONTH_S, mostFree, type Usage } from './estimate.ts';
import { drainers } from './platform.ts';

const HELP = `Usage: npm run cost -- [options]

Estimates what a deployment costs a month, from measured counts of Redis commands and published prices.

  --messages N       a month: 10k, 1M, 100M (1M)
  --rate N/s         how fast they come while they come; without it spread evenly over the month
  --batch N          messages of one enqueue request, 1 to 1000 (1)
  --bytes N          of one body (260)
  --round-trip N     from the Worker to Redis and back, ms (6)
  --shards N         databases that share the messages evenly, 1 to 100 (1)
  --cron N           minutes between two ticks of cron, as in wrangler.toml (1)
  --json             print one object with the figures as the last line
  --help             this text
`;

const OPTIONS = {
  messages: { type: 'string', default: '1M' },
  rate: { type: 'string' },
  batch: { type: 'string', default: '1' },
  bytes: { type: 'string', default: '260' },
  'round-trip': { type: 'string', default: '6' },
  shards: { type: 'string', default: '1' },
  cron: { type: 'string', default: '1' },
  json: { type: 'boolean' },
} as const;

const UNITS = { '': 1, k: 1e3, M: 1e6, G: 1e9 } as const;

/** `10k`, `1M`, `5`. @throws RangeError that names the option */
function countOf(option: string, text: string, least: number, most: number): number {
  const [, digits = '', unit = ''] = /^(\d+(?:\.\d+)?)([kMG]?)$/.exec(text) ?? [];
  const value = Number(digits) * UNITS[unit as keyof typeof UNITS];
  if (digits !== '' && value >= least && value <= most) return value;
  throw new RangeError(
    `${option} must be a number from ${least} to ${most}, such as 500 or 10k; got ${JSON.stringify(text)}`,
  );
}

interface Flags {
  messages: string;
  rate?: string | undefined;
  batch: string;
  bytes: string;
  'round-trip': string;
  shards: string;
  cron: string;
  json?: boolean | undefined;
}

async function main(flags: Flags): Promise<void> {
  const messages = countOf('--messages', flags.messages, 1, 1e12);
  const usage: Usage = {
    messages,
    perSecond: flags.rate ? countOf('--rate', flags.rate.replace(/\/s$/, ''), 0.000_001, 1e6) : messages / MONTH_S,
    batch: Math.floor(countOf('--batch', flags.batch, 1, 1_000)),
    bytes: countOf('--bytes', flags.bytes, 0, 262_144),
    roundTripMs: countOf('--round-trip', flags['round-trip'], 0.1, 10_000),
    shards: Math.floor(countOf('--shards', flags.shards, 1, 100)),
    cronMinutes: countOf('--cron', flags.cron, 1, 1_440),
  };
  const found = estimate(usage);
  const freeMessages = mostFree(usage);
  console.log(reportOf(usage, found, freeMessages));
  if (flags.json) console.log(JSON.stringify({ usage, ...found, freeMessages }));
}

const whole = (count: number) => Math.floor(count).toLocaleString('en-US');
const money = (dollars: number) => `$${dollars.toFixed(2)}`;

function reportOf({ messages, perSecond, batch, shards = 1 }: Usage, found: Estimate, freeMessages: number): string {
  const { upstashFixed: fixed, logs } = found;
  const [on, ofAll, times] = shards > 1 ? [`, on ${shards} shards`, ' of all shards', `${shards} × `] : ['', '', ''];
  const drainer = drainers(1, DAYS);
  const cron = found.commands - messages * found.commandsPerMessage; // idle ticks, and what ticks after traffic take more
  return `${whole(messages)} messages a month at ${perSecond.toPrecision(2)} a second, ${batch} in a request${on}

commands per message        ${found.commandsPerMessage.toFixed(2)} (and ${found.roundTripsPerMessage.toFixed(2)} HTTP requests to Redis)
commands a month            ${whole(found.commands)}, ${whole(cron)} of them cron (with no message ${whole(found.idleCommands)})
the free database ends      at ${whole(freeMessages)} messages a month${ofAll}, ${whole(freeMessages / DAYS)} a day; then it refuses everything
bandwidth of Redis          about ${found.bandwidthGb.toFixed(1)} GB

Upstash, pay as you go      ${money(found.upstashPayAsYouGo)}
Upstash, fixed plan         ${fixed ? `${money(fixed.price)} (${times}${fixed.name})` : 'none fits'}
Workers requests            ${money(found.workers)}, beside either; CPU time not included
Workers Logs                ${logs.price === undefined ? 'free' : money(logs.price)} for about ${logs.gb.toFixed(1)} GB, where each request is logged
a Durable Object drainer    ${money(drainer.price)} beside Workers Paid, at work all month (${whole(drainer.gbSeconds)} GB-s)

instead, QStash             ${money(found.qstash)}
instead, Cloudflare Queues  ${money(found.cloudflareQueues)}, with the paid plan of Workers in it where it is needed
instead, Vercel Queues      ${money(found.vercelQueues)}, beside a plan of Vercel`;
}

await runCommand(HELP, OPTIONS, main);
