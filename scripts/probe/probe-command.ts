/** The probe, `npx node scripts/probe/probe-command.ts`: asks a real database what Sluice builds on, and says what differs. */
import { runCommand } from '../../src/dev/command.ts';
import { type AnswerFile, compare, EXPECTED, readAnswers } from './answers.ts';
import { askAll } from './ask.ts';
import { type Database, openDatabase } from './database.ts';
import { DEAR } from './dear-questions.ts';
import type { Question } from './question.ts';
import { QUESTIONS } from './questions.ts';
import { costOf, listOf, summaryOf, tableOf } from './report.ts';

const HELP = `Usage: npx node scripts/probe/probe-command.ts [options]

Asks a database over its REST API what Sluice builds on, and compares the answers with those that are expected of Upstash.
It writes under a random prefix only, and removes what it wrote. It says what it costs before it begins.

  --url URL          the database (UPSTASH_REDIS_REST_URL, or KV_REST_API_URL)
  --token TOKEN      one that may write (UPSTASH_REDIS_REST_TOKEN, or KV_REST_API_TOKEN); it is never printed
  --only NAME,…      these questions
  --all              also those that cost much or hold the database up for seconds; not where anything else uses it
  --against FILE     compare with the answers of another run (what is expected: scripts/probe/expected.json)
  --json             print what was found, in the form of that file
  --list             print the questions, and why they matter
  --help             this text

Exit code: 0 all as expected, 1 something differs, 2 it could not ask.
`;

const OPTIONS = {
  url: { type: 'string' },
  token: { type: 'string' },
  only: { type: 'string' },
  all: { type: 'boolean' },
  against: { type: 'string' },
  json: { type: 'boolean' },
  list: { type: 'boolean' },
} as const;

interface Flags {
  url?: string | undefined;
  token?: string | undefined;
  only?: string | undefined;
  all?: boolean | undefined;
  against?: string | undefined;
  json?: boolean | undefined;
  list?: boolean | undefined;
}

const DIFFERS = 1;
const COULD_NOT_ASK = 2;

async function main(flags: Flags): Promise<void> {
  if (flags.list) return console.log(listOf(QUESTIONS));
  const questions = chosen(flags);
  const expected = readAnswers(flags.against ?? EXPECTED);
  const { database, host } = await reached(flags);
  const { commands, bytes } = costOf(questions);
  const cost = `about ${commands} commands, as they are billed, and ${(bytes / 1e6).toFixed(1)} MB`;
  console.error(`${questions.length} questions to ${host}: ${cost}. Ctrl-C ends it and leaves nothing there.`);

  const signal = whenInterrupted();
  const { answers, left } = await askAll({ database, questions, signal });
  const found: AnswerFile = {
    about: `What a database answered to the probe, ${new Date().toISOString()}`,
    answers,
  };
  const rows = compare(
    answers,
    expected.answers,
    questions.map(({ name }) => name),
  );
  console.log(flags.json ? JSON.stringify(found, null, 2) : tableOf(rows));
  console.error(summaryOf(rows));
  if (left.length > 0) console.error(`could not be removed: ${left.join(', ')}`);
  if (signal.aborted) process.exitCode = COULD_NOT_ASK;
  else if (rows.some(({ verdict }) => verdict === 'differs')) process.exitCode = DIFFERS;
}

/** @throws RangeError that names what there is not */
function chosen({ only, all }: Flags): Question[] {
  if (only === undefined) return QUESTIONS.filter((question) => all || !DEAR.includes(question));
  const names = only.split(',');
  const unknown = names.filter((name) => !QUESTIONS.some((question) => question.name === name));
  if (unknown.length > 0) throw new RangeError(`--only: no question ${unknown.join(', ')}; --list has them all`);
  return QUESTIONS.filter(({ name }) => names.includes(name));
}

/**
 * An empty variable is none, and URL and token have one naming, as in config.ts.
 * @throws where there is no database, or it does not answer to this token
 */
async function reached(flags: Flags): Promise<{ database: Database; host: string }> {
  const { env } = process;
  const upstash = [env.UPSTASH_REDIS_REST_URL, env.UPSTASH_REDIS_REST_TOKEN];
  const named = upstash.some(Boolean) ? upstash : [env.KV_REST_API_URL, env.KV_REST_API_TOKEN];
  const [url, token] = [flags.url ?? named[0], flags.token ?? named[1]];
  if (!url || !token)
    throw new RangeError(
      'no database: give --url and --token, or set UPSTASH_REDIS_REST_URL and UPSTASH_REDIS_REST_TOKEN',
    );
  if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol))
    throw new RangeError('--url must begin with https:// or http://');
  const database = openDatabase(url, token);
  const { error } = await database.send(['PING']);
  if (error !== undefined) throw new Error(`it does not answer PING: ${error}`);
  return { database, host: new URL(url).host };
}

/** The first Ctrl-C ends it at the next request, a second one at once. */
function whenInterrupted(): AbortSignal {
  const controller = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => controller.abort());
  return controller.signal;
}

await runCommand(HELP, OPTIONS, main, COULD_NOT_ASK);
