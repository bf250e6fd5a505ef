/** The program: every command, and what they share. */
import { Command } from 'commander';
import manifest from '../../package.json' with { type: 'json' };
import { addBench } from './commands/bench.ts';
import { addCompletion } from './commands/completion.ts';
import { addControl } from './commands/control.ts';
import { addDead } from './commands/dead.ts';
import { addDev } from './commands/dev.ts';
import { addDoctor } from './commands/doctor.ts';
import { addEnqueue } from './commands/enqueue.ts';
import { addInit } from './commands/init.ts';
import { addLimit } from './commands/limit.ts';
import { addMessage } from './commands/message.ts';
import { addPeek } from './commands/peek.ts';
import { addQueues } from './commands/queues.ts';
import { addReceive } from './commands/receive.ts';
import { addRedisHttp } from './commands/redis-http.ts';
import { addRings } from './commands/rings.ts';
import { addSchedules } from './commands/schedules.ts';
import { addShards } from './commands/shards.ts';
import { addTail } from './commands/tail.ts';
import { addToken } from './commands/token.ts';
import { addTop } from './commands/top.ts';
import { addWorker } from './commands/worker.ts';
import { examples } from './options.ts';
import { addSettings } from './settings.ts';

const COMMANDS = [
  addInit,
  addEnqueue,
  addReceive,
  addQueues,
  addPeek,
  addMessage,
  addDead,
  addControl,
  addLimit,
  addSchedules,
  addRings,
  addShards,
  addTail,
  addTop,
  addDoctor,
  addBench,
  addWorker,
  addDev,
  addRedisHttp,
  addToken,
  addCompletion,
];

/** Commander throws instead of ending the process, so that all ends go one way. */
export function buildProgram(): Command {
  const program = new Command('sluice')
    .description('Sluice from the command line, over its HTTP API')
    .version(manifest.version, '--version', 'print the version')
    .exitOverride()
    .configureHelp({ showGlobalOptions: true })
    .helpCommand(false)
    .showSuggestionAfterError()
    .addHelpText(
      'after',
      `${examples('export SLUICE_URL=http://127.0.0.1:8787 SLUICE_TOKEN=…', 'sluice queues', 'sluice enqueue --help')}

Exit codes: 0 it is done, 1 it failed, 2 wrong usage: nothing was changed.`,
    );
  addSettings(program);
  for (const add of COMMANDS) add(program);
  return program;
}
