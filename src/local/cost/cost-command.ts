/** The command that estimates: `npm run cost`. */
import { runCommand } from '../command.ts';
import { estimate, MONTH_S, type Usage } from './estimate.ts';

const HELP = `Usage: npm run cost -- [options]

Estimates what a deployment costs a month, from measured counts of Redis commands and published prices.

  --messages N       a month: 10k, 1M, 100M (1M)
  --rate N/s         how fast they come while they come; without it spread evenly over the month
  --batch N          messages of one enqueue request, 1 to 1000 (1)
  --bytes N          of one body (260)
  --round-trip N     from the Worker to Redis and back, ms (6)
  --json             print one object with the figures as the last line
  --help             this text
`;

const OPTIONS = {
  messages: { type: 'string', default: '1M' },
  rate: { type: 'string' },
  batch: { type: 'string', default: '1' },
  bytes: { type: 'string', default: '260' },
  'round-trip': { type: 'string', default: '6' },
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
  };
  const found = estimate(usage);
  const money = (dollars: number) => `$${dollars.toFixed(2)}`;
  const { upstashFixed: fixed } = found;
  const lines = [
    `${messages.toLocaleString('en-US')} messages a month at ${usage.perSecond.toPrecision(2)} a second, ${usage.batch} in a request`,
    '',
    `commands per message        ${found.commandsPerMessage.toFixed(2)} (and ${found.roundTripsPerMessage.toFixed(2)} HTTP requests to Redis)`,
    `commands a month            ${Math.round(found.commands).toLocaleString('en-US')}, ${found.idleCommands.toLocaleString('en-US')} of them cron`,
    `bandwidth of Redis          about ${found.bandwidthGb.toFixed(1)} GB`,
    '',
    `Upstash, pay as you go      ${money(found.upstashPayAsYouGo)}`,
    `Upstash, fixed plan         ${fixed ? `${money(fixed.price)} (${fixed.name})` : 'none fits'}`,
    `Workers requests            ${money(found.workers)}, beside either; CPU time not included`,
    '',
    `instead, QStash             ${money(found.qstash)}`,
    `instead, Cloudflare Queues  ${money(found.cloudflareQueues)}, with the paid plan of Workers in it`,
  ];
  console.log(lines.join('\n'));
  if (flags.json) console.log(JSON.stringify({ usage, ...found }));
}

await runCommand(HELP, OPTIONS, main);
