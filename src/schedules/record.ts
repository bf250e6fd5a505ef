/**
 * Records: a schedule in the form in which it is stored, a line each for
 *
 *   <due, epoch ms; 0 while paused> <state> <origin> <revision> <last occurrence fired, epoch ms; 0: none>
 *   what was wrong with the last occurrence
 *   the timing: `every <ms>`, or `cron <time zone> <expression>`
 *   the policy as JSON: queue and catch-up
 *   the message as JSON: body and options
 *
 * Pure. Scripts read the first line only; the list of all schedules leaves out the last.
 */
import { shortDigest } from '../formats/digest.ts';
import { readJson } from '../formats/json.ts';
import type { CatchUp, Timing } from './occurrences.ts';
import type { Definition } from './schedule.ts';

/** Who made it: the deployment's code, or a caller of the API. */
export type Origin = 'code' | 'api';

export interface Header {
  /** The next occurrence, epoch ms; 0 while paused. */
  due: number;
  state: 'active' | 'paused';
  origin: Origin;
  /** Digest of the definition. */
  revision: string;
  /** The last occurrence fired, epoch ms; 0: none yet. */
  lastAt: number;
}

export interface ScheduleRecord extends Header {
  /** The first line as it was read: a change names it. */
  header: string;
  error: string;
  /** The timing as it is written. */
  when: string;
  timing: Timing;
  queue: string;
  catchUp: CatchUp;
  /** Not there in a list. */
  message: Definition['message'] | undefined;
}

/** The lines of a definition, and the digest of it by which a changed one is known. */
export interface DefinitionText {
  origin: Origin;
  when: string;
  lines: string;
  revision: string;
}

export async function writeDefinition(
  { timing, queue, catchUp, message }: Definition,
  origin: Origin,
): Promise<DefinitionText> {
  const when = 'everyMs' in timing ? `every ${timing.everyMs}` : `cron ${timing.tz} ${timing.cron}`;
  const lines = [when, JSON.stringify({ queue, catchUp }), JSON.stringify(message)].join('\n');
  return { origin, when, lines, revision: await shortDigest(`${origin}\n${lines}`) };
}

export function writeHeader({ due, state, origin, revision, lastAt }: Header): string {
  return `${due} ${state} ${origin} ${revision} ${lastAt}`;
}

/** @throws SyntaxError where it cannot be read */
export function readRecord(record: string): ScheduleRecord {
  const [header = '', error = '', when = '', policy = '', message] = record.split('\n');
  const { queue, catchUp } = JSON.parse(policy) as Pick<ScheduleRecord, 'queue' | 'catchUp'>;
  return {
    ...readHeader(header),
    header,
    error,
    when,
    timing: readTiming(when),
    queue,
    catchUp,
    message: message === undefined ? undefined : (readJson(message, 1) as Definition['message']),
  };
}

/** undefined where it cannot be read, or there is none. */
export function readable(record: string): ScheduleRecord | undefined {
  try {
    return readRecord(record);
  } catch {
    return undefined;
  }
}

/** The first line, whatever it is. */
export function readHeaderLine(record: string): string {
  return record.split('\n', 1)[0] ?? '';
}

function readHeader(header: string): Header {
  const [, due, state, origin, revision = '', lastAt] =
    /^(\d+) (active|paused) (code|api) (\S+) (\d+)$/.exec(header) ?? [];
  if (lastAt === undefined) throw new SyntaxError('no header of a schedule');
  return {
    due: Number(due),
    state: state as Header['state'],
    origin: origin as Origin,
    revision,
    lastAt: Number(lastAt),
  };
}

function readTiming(when: string): Timing {
  const [, everyMs, tz, cron] = /^(?:every (\d+)|cron (\S+) (.+))$/.exec(when) ?? [];
  if (everyMs !== undefined) return { everyMs: Number(everyMs) };
  if (tz === undefined || cron === undefined) throw new SyntaxError('no timing of a schedule');
  return { cron, tz };
}
