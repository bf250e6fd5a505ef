/** `sluice worker`: a process that delivers the messages of a project, until it is told to end. */
import { existsSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import type { Command } from 'commander';
import { EXIT, Failure, UsageError } from '../failure.ts';
import { type Loaded, loadSluice } from '../load-sluice.ts';
import { duration, examples, whole, withDefault } from '../options.ts';
import { type Output, openOutput } from '../output.ts';
import { untilStopped } from '../poll.ts';
import { settingsOf } from '../settings.ts';
import { lengthOf } from '../time.ts';

/** As `run` tells it. */
type Ending = Awaited<ReturnType<Loaded['node']['run']>>;

interface WorkerFlags {
  port?: number;
  grace: number;
  envFile?: string;
}

const EXPLAINED = `
The file is the project's own: what createSluice returns is its default export, or is called "sluice". The settings are those of the
environment, and of --env-file where that says what the environment does not.

SIGTERM or SIGINT: nothing more is taken, handlers that run have the grace to end, what they have not ended goes back. A second
one ends it at once. It exits with 0 if all that it held is settled or has gone back, else with 1.`;

export function addWorker(program: Command): void {
  const command = program
    .command('worker <file>')
    .description("deliver the messages of this project's queues in a process that stays, cron included")
    .option('--port <n>', 'answer over HTTP too; 0 picks a free one', whole(0, 65_535))
    .addOption(
      withDefault('--grace <duration>', 'for handlers that run when it is told to end', duration, 10_000, '10s'),
    )
    .option('--env-file <file>', 'settings, as NAME=value lines')
    .addHelpText(
      'after',
      `${EXPLAINED}\n${examples('sluice worker ./sluice.ts', 'sluice worker ./sluice.ts --port 8787 --grace 25s --env-file .env')}`,
    )
    .action(async (file: string, flags: WorkerFlags) => {
      await work(file, flags, openOutput(settingsOf(command).json));
    });
}

async function work(file: string, { port, grace, envFile }: WorkerFlags, out: Output): Promise<void> {
  if (envFile !== undefined) loadSettings(envFile);
  const loaded = await loadSluice(file);
  const signal = untilStopped();
  const { url, closed } = await begin(loaded, port, { signal, graceMs: grace }).catch((error) =>
    refuse(error, envFile),
  );
  const where = url === undefined ? '' : `, answering at ${url}`;
  signal.addEventListener('abort', () => {
    void out.emit({ event: 'stopping', graceMs: grace }, () => `stopping; handlers that run have ${lengthOf(grace)}`);
  });
  await out.emit({ event: 'started', file, ...(url !== undefined && { url }) }, () => `working on ${file}${where}`);
  const ending = await closed;
  await out.emit({ event: 'stopped', ...ending }, () => describe(ending));
  process.exit(ending.isSettled ? EXIT.ok : EXIT.failed); // a handler that has outlived the grace would keep it
}

function describe({ cutOff, isSettled }: Ending): string {
  if (!isSettled) return 'stopped in the middle: what it held comes again when its lease is over';
  if (cutOff === 0) return 'stopped';
  return `stopped; the grace was over for ${cutOff} ${cutOff === 1 ? 'handler' : 'handlers'}: what they had went back, and comes again`;
}

/** @throws BadSettings; Error where the port is taken */
async function begin(
  { sluice, node }: Loaded,
  port: number | undefined,
  options: { signal: AbortSignal; graceMs: number },
): Promise<{ url?: string; closed: Promise<Ending> }> {
  if (port !== undefined) return node.serve(sluice, { ...options, port });
  const closed = node.run(sluice, options);
  await Promise.race([closed, setImmediate()]); // bad settings are told at once
  return { closed };
}

function loadSettings(file: string): void {
  try {
    process.loadEnvFile(file);
  } catch {
    throw new UsageError(`cannot read --env-file ${file}`);
  }
}

/** Where the settings of a project may be on this machine. */
const SETTINGS_FILES = ['.env.local', '.dev.vars', '.env'];

/** By name and code: the project may have a copy of the package that is not the one of this command. */
function refuse(error: unknown, envFile: string | undefined): never {
  if (!(error instanceof Error)) throw error;
  if (Reflect.get(error, 'code') === 'EADDRINUSE') throw new Failure(error.message);
  if (error.name !== 'BadSettings') throw error;
  const file = envFile === undefined ? SETTINGS_FILES.find((name) => existsSync(name)) : undefined;
  const hint = file === undefined ? '' : `. ${file} was not read: --env-file ${file} does so`;
  throw new UsageError(`bad settings: ${error.message}${hint}`);
}
