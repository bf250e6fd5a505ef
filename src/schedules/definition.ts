/** What a schedule is: its timing and the message it makes. One schema judges it, in code and over HTTP. */

import * as z from 'zod/mini';
import type { Issue } from '../errors.ts';
import { utf8 } from '../formats/bytes.ts';
import { parseDuration } from '../formats/duration.ts';
import { duration } from '../formats/duration-schema.ts';
import { makeOrderedIssue, toBodyIssues, toIssues } from '../formats/issues.ts';
import { MAX_DEPTH, toJson } from '../formats/json.ts';
import { rule } from '../formats/rule.ts';
import { QUEUE_NAME } from '../message/message.ts';
import { MessageOptions } from '../message/options.ts';
import { chooseDestination } from '../queue/destination.ts';
import type { AnyQueue, QueueFor } from '../queue/queue.ts';
import { features } from './features.ts';
import { type CatchUp, compileTiming } from './occurrences.ts';
import type { Definition, Schedule } from './schedule.ts';

/** A schedule's id: as a queue's name it is safe in a key, a URL and a log. */
export const SCHEDULE_ID = QUEUE_NAME;

/** An occurrence more often than this would be a drain that never sleeps. */
const LEAST_EVERY_MS = 1_000;
/** The most missed occurrences that are caught up. */
const MOST_CAUGHT_UP = 100;
/** The most bytes a schedule may take as JSON: many of them come in one answer. */
const MOST_BYTES = 64 * 1024;
/** A zone of the tz database. What else the platform takes, such as "+01:00", is no zone with rules. */
const ZONE = /^[A-Za-z][A-Za-z0-9_+/-]{0,63}$/;

const { notBefore: _, ...options } = MessageOptions.shape;

const fields = z.strictObject({
  ...options,
  /** Five fields: minute, hour, day of month, month, day of week (0 or 7 is Sunday). */
  cron: z.optional(z.string().check(z.minLength(1), z.maxLength(200))),
  /** Of the cron expression; UTC if left out. */
  tz: z.optional(z.string().check(rule(isZone, 'must be a time zone such as "Europe/Berlin"'))),
  /** Occurrences at whole multiples since the epoch, instead of cron. */
  every: z.optional(duration(LEAST_EVERY_MS)),
  queue: z.string().check(z.regex(QUEUE_NAME)),
  body: z.unknown(),
  /** What becomes of occurrences that were missed. */
  catchUp: z._default(
    z.union(
      [z.enum(['none', 'one']), z.strictObject({ all: z.int().check(z.minimum(1), z.maximum(MOST_CAUGHT_UP)) })],
      `must be "none", "one" or {"all": 1 to ${MOST_CAUGHT_UP}}`,
    ),
    'one',
  ),
});

/** A schedule as callers put it. */
export const ScheduleRequest = fields.check((context) => {
  const { cron, tz, every } = context.value;
  const issue = (path: string, message: string, code = 'invalid') =>
    void context.issues.push({ code: 'custom', path: [path], params: { code }, message, input: context.value });
  if (cron === undefined && every === undefined) issue('cron', 'or "every" is required');
  if (cron !== undefined && every !== undefined) issue('every', 'cannot stand beside "cron"');
  if (cron === undefined && tz !== undefined) issue('tz', 'only stands beside "cron"');
  if (cron !== undefined && !isCron(cron)) issue('cron', 'must have five fields, as in "0 9 * * 1-5", and come true');
  const { text = '', fault } = toJson(context.value, 1);
  if (fault === 'too_deep') issue('body', `must be nested at most ${MAX_DEPTH} levels deep`, fault);
  else if (fault) issue('body', 'cannot be written as JSON');
  if (utf8(text).length > MOST_BYTES) issue('body', `must take at most ${MOST_BYTES} bytes with all else`);
});

type ScheduleTimes =
  | { cron: string; tz?: string; every?: never }
  | { every: number | string; cron?: never; tz?: never };

export type ScheduleOptions<Input> = ScheduleTimes &
  Omit<MessageOptions, 'notBefore'> & {
    /** Its messages go there; it must be one of the deployment's. */
    queue: QueueFor<Input>;
    body: NoInfer<Input>;
    /**
     * Occurrences more than 2 minutes late were missed. 'none' drops them, 'one' (default) makes one message for them,
     * `{ all: n }` one for each of the newest n, up to 100.
     */
    catchUp?: CatchUp;
  };

/**
 * Defines a schedule: a message that is enqueued at the times of a cron expression, or every so often.
 * @param id letters, digits, dot, dash and underscore; it names the schedule in storage and in the API
 * @throws RangeError that names each bad setting, of the schedule or of the message for its queue
 * @example defineSchedule('nightly-report', { cron: '0 3 * * *', tz: 'Europe/Berlin', queue: reports, body: { kind: 'daily' } })
 */
export function defineSchedule<Input>(id: string, options: ScheduleOptions<Input>): Schedule {
  if (!SCHEDULE_ID.test(id))
    throw new RangeError(`a schedule's id must match ${SCHEDULE_ID}; got ${JSON.stringify(id)}`);
  const { queue, ...rest } = options;
  const parsed = ScheduleRequest.safeParse({ ...rest, queue: queue.name });
  const issues = parsed.success ? findMisfits(queue, parsed.data) : toIssues(parsed.error, '');
  if (parsed.success && issues.length === 0) return Object.freeze({ id, ...makeDefinition(parsed.data), features });
  const faults = issues.map(({ field, message }) => `${field} ${message}`);
  throw new RangeError(`schedule ${JSON.stringify(id)}: ${faults.join('; ')}`);
}

/** Settings decide where a deployment's messages may go: code may say any address that some deployment takes. */
const ANYWHERE = { hosts: [], local: true };

/** What its queue would refuse of each message, as far as code can tell by itself: the rest is told when an occurrence comes. */
function findMisfits(queue: AnyQueue, { destination, priority, body }: z.output<typeof ScheduleRequest>): Issue[] {
  const policy = queue.destination && { ...queue.destination, rules: ANYWHERE };
  const { issue } = chooseDestination(policy, destination, '');
  const misfits = misfitsOfBody(queue, body);
  if (issue) misfits.push(issue);
  if (queue.ordered && priority !== undefined) {
    misfits.push(makeOrderedIssue(''));
  }
  return misfits;
}

/** A schema that has to be waited for, or that cannot be asked while a Worker starts, is asked when an occurrence comes. */
function misfitsOfBody({ schema }: AnyQueue, body: unknown): Issue[] {
  try {
    const checked = schema?.['~standard'].validate(body);
    if (checked instanceof Promise) checked.catch(() => {});
    const { issues = [] } = checked && 'issues' in checked ? checked : {};
    return toBodyIssues(issues, '');
  } catch {
    return [];
  }
}

export function makeDefinition(request: z.output<typeof ScheduleRequest>): Definition {
  const { cron, tz = 'UTC', every, queue, catchUp, body, ...options } = request;
  const timing =
    cron === undefined ? { everyMs: parseDuration(every ?? 0) ?? 0 } : { cron: cron.trim().replace(/\s+/g, ' '), tz };
  return { timing, queue, catchUp, message: { body, options } };
}

function isZone(tz: string): boolean {
  try {
    return ZONE.test(tz) && new Intl.DateTimeFormat('en', { timeZone: tz }).format(0) !== '';
  } catch {
    return false;
  }
}

function isCron(cron: string): boolean {
  try {
    return compileTiming({ cron, tz: 'UTC' })(0) > 0;
  } catch {
    return false;
  }
}
