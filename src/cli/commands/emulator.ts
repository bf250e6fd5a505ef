/** `sluice emulator`: Redis over HTTP on this machine, for `wrangler dev`. It talks to no deployment. */
import { type Command, Option } from 'commander';
import type { EmulatorFlags } from '../../dev/emulator-command.ts';
import { Failure } from '../failure.ts';
import { examples, whole, withDefault } from '../options.ts';

const count = whole(1, Number.MAX_SAFE_INTEGER);

const EXPLAINED = `
Where there is no .dev.vars it writes one, which wrangler dev reads: this address, a token for the API, deliveries to this machine,
errors in the terminal. Where there is one it must name this address. Of what it holds wrangler dev takes what wrangler.toml
names under [secrets] or [vars].

The limits are those of a plan of the service. Without them there are none but that of a request, and INFO of the embedded
Redis counts neither commands nor bytes, so that SLUICE_MONTHLY_COMMANDS warns of nothing.`;

export function addEmulator(program: Command): void {
  program
    .command('emulator')
    .description('start Redis and the Upstash REST API on this machine, for wrangler dev')
    .addOption(withDefault('--port <n>', 'port of the REST API; 0 picks a free one', whole(0, 65_535), 8_079, '8079'))
    .option('--redis <url>', 'a real Redis instead of the embedded one; "auto" looks for a redis-server on the PATH')
    .option('--cron <url>', 'fire the cron handler of the Worker at this URL every minute')
    .option(
      '--monthly-commands <n>',
      'limit: with the last one everything is refused, until it is started again',
      count,
    )
    .option(
      '--capacity-bytes <n>',
      'limit: of all data; growing writes are refused above it, inside scripts too',
      count,
    )
    .addOption(
      new Option('--scripts-when-full <how>', 'whether a full database begins scripts').choices(['begun', 'refused']),
    )
    .option('--record-bytes <n>', "limit: of one key's value", count)
    .option('--key-bytes <n>', "limit: of one key's name", count)
    .option('--request-bytes <n>', 'limit: of one command, and of one result (default: 10 MiB)', count)
    .option('--commands-per-second <n>', 'limit: what comes faster waits', count)
    .addHelpText('after', `${EXPLAINED}\n${examples('sluice emulator --cron http://localhost:8787')}`)
    .action(async (flags: EmulatorFlags) => {
      // Only here: nothing else of the command line needs what runs on this machine, and it takes a second to load.
      const { runEmulator } = await import('../../dev/emulator-command.ts');
      await runEmulator(flags).catch((error: Error) => {
        throw new Failure(error.message);
      });
    });
}
