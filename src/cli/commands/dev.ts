/** `sluice dev`: all of Sluice that a project needs on this machine, beside the platform's own server. It talks to no deployment. */
import { type Command, InvalidArgumentError } from 'commander';
import type { DevOptions, DevReport } from '../../dev/dev-command.ts';
import { Failure } from '../failure.ts';
import { examples, pair, whole, withDefault } from '../options.ts';
import { openOutput } from '../output.ts';
import { settingsOf } from '../settings.ts';

/** Of a plan of the service: how --limit names them, and what the emulator calls them. */
const LIMITS = {
  'monthly-commands': 'monthlyCommands',
  'capacity-bytes': 'capacityBytes',
  'record-bytes': 'recordBytes',
  'key-bytes': 'keyBytes',
  'request-bytes': 'requestBytes',
  'commands-per-second': 'commandsPerSecond',
} as const;

const count = whole(1, Number.MAX_SAFE_INTEGER);

const EXPLAINED = `
It starts an embedded Redis with the REST API of Upstash in front, and keeps its data in .sluice, which git ignores. What is missing
in the environment file of the project is added: .dev.vars where there is a wrangler.toml or wrangler.json, .env.local for Next.js and
Vercel, .env for all else. What the file has stays as it is.

Cron is called each minute, as the platform would, wherever it serves: wrangler dev at http://localhost:8787; /api/cron with
CRON_SECRET, or POST /v1/drain, at http://localhost:3000. The server, and its reload, are the platform's own: start it beside this.

Shards are listed in SLUICE_SHARDS. Data that has several is not opened with fewer: what the others hold would be out of reach.

Limits are ${Object.keys(LIMITS).join(', ')},
and scripts-when-full=refused.`;

export function addDev(program: Command): void {
  const command = program
    .command('dev')
    .description('run Redis, cron and the settings for a project on this machine, until it is stopped')
    .addOption(withDefault('--port <n>', 'port of the REST API; 0 picks a free one', whole(0, 65_535), 8_079, '8079'))
    .option('--redis <url>', 'a real Redis instead of the embedded one; "auto" looks for a redis-server on the PATH')
    .option('--shards <n>', 'several databases, at that port and those behind it', whole(1, 16))
    .option('--cron <url>', 'where the project serves, or what cron calls there; "none" calls nothing')
    .option('--data <dir>', 'where the data and the token are kept', '.sluice')
    .option('--fresh', 'begin anew, without the data of the last run')
    .option('--limit <name=value>', 'a limit of a plan of the service; it may come several times', limit)
    .addHelpText('after', `${EXPLAINED}\n${examples('sluice dev', 'sluice dev --cron http://localhost:8080')}`)
    .action(async ({ fresh = false, limit = {}, ...flags }: Flags) => {
      // Only here: nothing else of the command line needs what runs on this machine, and it takes a while to load.
      const { startDev } = await import('../../dev/dev-command.ts');
      const out = openOutput(settingsOf(command).json);
      const options = { ...flags, fresh, limits: limitsIn(limit) };
      const dev = await startDev(process.cwd(), options, out.say).catch((error: Error) => {
        throw new Failure(error.message);
      });
      for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, dev.close);
      out.show(dev.report, () => welcome(dev.report));
    });
}

type Flags = Pick<DevOptions, 'port' | 'redis' | 'shards' | 'cron' | 'data'> & {
  fresh?: boolean;
  limit?: Record<string, string>;
};

/** @throws InvalidArgumentError where there is no such limit */
function limit(text: string, before?: Record<string, string>): Record<string, string> {
  const limits = pair(text, before);
  try {
    limitsIn(limits);
  } catch {
    throw new InvalidArgumentError(`It must be one of ${Object.keys(LIMITS).join(', ')} with a whole number.`);
  }
  return limits;
}

function limitsIn({ 'scripts-when-full': scripts, ...numbers }: Record<string, string>): DevOptions['limits'] {
  if (scripts !== undefined && scripts !== 'refused' && scripts !== 'begun') throw new RangeError('scripts-when-full');
  const named = Object.entries(numbers).map(([name, text]) => {
    if (!Object.hasOwn(LIMITS, name)) throw new RangeError(name);
    return [LIMITS[name as keyof typeof LIMITS], count(text)];
  });
  return { ...Object.fromEntries(named), ...(scripts === undefined ? {} : { scriptsWhenFull: scripts }) };
}

function welcome({
  redis,
  redisUrl,
  redisToken,
  shards,
  token,
  environment,
  cron,
  dashboard,
  warnings,
}: DevReport): string {
  const { file, added } = environment;
  return [
    `Upstash REST API at ${redisUrl}, on ${redis} Redis, token "${redisToken}". Ctrl-C ends it.`,
    ...(shards.length > 1 ? shards.map(describeShard) : []),
    added.length > 0 ? `wrote ${added.join(', ')} to ${file}` : `${file} has all that is needed`,
    ...warnings.map((warning) => `warning: ${warning}`),
    cron === null
      ? 'No cron is called.'
      : `Each minute cron calls ${cron}, once something serves there. Where yours is at another port, --cron says so.`,
    dashboard === null
      ? `The API takes the token ${token}. The project has no dashboard: \`npx sluice top\` shows the queues.`
      : `The dashboard is ${dashboard}, and takes the token ${token}`,
  ].join('\n');
}

const describeShard = ({ name, redisUrl, state }: DevReport['shards'][number]) =>
  `shard ${name} at ${redisUrl}${state === 'joining' ? ', joining: it is given nothing until it is active' : ''}`;
