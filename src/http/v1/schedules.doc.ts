/** What the document says of schedules. */
import * as z from 'zod/mini';
import { YEAR_MS } from '../../formats/duration.ts';
import { describe, duration } from '../openapi/describe.ts';
import { BODY, OPTIONS } from '../openapi/message-options.ts';
import { OF_BODIES, type Operations } from '../openapi/operation.ts';
import { count, instant } from '../openapi/primitives.ts';
import type { ProblemCode } from '../problem.ts';
import { answers as ofMessages } from './messages.doc.ts';

export const params = { schedule: 'A schedule, by its id.' };

const { Receipt, Duplicate } = ofMessages;

const catchUp = z.union([z.enum(['none', 'one']), z.object({ all: count })]);
const ScheduleReport = z.object({
  id: z.string(),
  state: z.enum(['active', 'paused']),
  origin: z.enum(['code', 'api']),
  cron: z.optional(z.string()),
  tz: z.optional(z.string()),
  everyMs: z.optional(count),
  queue: z.string(),
  catchUp,
  next: z.array(instant),
  lastAt: z.optional(instant),
  lastError: z.optional(z.string()),
  message: z.optional(z.looseObject({ body: z.unknown() })),
});
const SchedulePage = z.object({ schedules: z.array(ScheduleReport), cursor: z.optional(z.string()) });
const Removed = z.object({ id: z.string(), removed: z.literal(true) });

describe(ScheduleReport, {
  origin: '`code`: it stands in the code of the deployment.',
  everyMs: 'Of an interval; otherwise there is `cron`.',
  next: 'The next occurrences, epoch ms; none while paused.',
  lastAt: 'The last occurrence fired, epoch ms.',
  lastError: 'What was wrong with the last occurrence: fields and codes.',
  message: 'Body and options; not in the list.',
});
describe(SchedulePage, { cursor: 'There is more: ask again with it.' });

export const answers = { ScheduleReport, SchedulePage, Removed };

const SCHEDULE = {
  id: 'nightly-report',
  state: 'active',
  origin: 'api',
  cron: '0 2 * * *',
  tz: 'Europe/Berlin',
  queue: 'reports',
  catchUp: 'one',
  next: [1_795_050_000_000, 1_795_136_400_000, 1_795_222_800_000],
};

const reported = (description: string) => [
  { status: 200 as const, description, schema: ScheduleReport, example: SCHEDULE },
];

const UNKNOWN: ProblemCode[] = ['unknown_schedule'];
const { notBefore: _, ...OF_OCCURRENCES } = OPTIONS;

export const operations = {
  listSchedules: {
    tag: 'schedules',
    summary: 'The schedules whose queue the token is for, page by page',
    description: 'In no order. A page may be short and still not be the last.',
    query: { limit: 'About so many schedules on a page.', cursor: 'Where the last page ended.' },
    answers: [{ status: 200, description: 'A page.', schema: SchedulePage }],
    problems: ['invalid_message'],
  },
  getSchedule: {
    tag: 'schedules',
    summary: 'A schedule and its next occurrences',
    answers: reported('The schedule.'),
    problems: UNKNOWN,
  },
  putSchedule: {
    tag: 'schedules',
    summary: 'Make a schedule, or change it',
    description:
      'Repeated it changes nothing. The next occurrence is kept where the timing stays; an occurrence that has come and is not fired yet is fired still.',
    body: {
      name: 'ScheduleRequest',
      fields: {
        ...OF_OCCURRENCES,
        cron: 'Minute, hour, day of month, month, day of week: five fields, in which 0 and 7 are Sunday.',
        tz: 'The time zone of `cron`. Default: UTC.',
        every: {
          means: 'Instead of `cron`: occurrences at whole multiples of it since the epoch.',
          form: duration(1_000, YEAR_MS),
        },
        queue: 'The queue its messages go to.',
        body: `${BODY} At most 64 KiB with all else.`,
        catchUp:
          'What becomes of occurrences that are more than 2 minutes late: nothing, one message for all of them, or one for each of the newest so many.',
      },
      example: { cron: '0 2 * * *', tz: 'Europe/Berlin', queue: 'reports', body: { report: 'daily' } },
    },
    answers: reported('It stands.'),
    problems: [...OF_BODIES, 'schedule_of_code', 'too_many_schedules'],
  },
  deleteSchedule: {
    tag: 'schedules',
    summary: 'Remove a schedule',
    description: 'Messages that it has made stay.',
    answers: [{ status: 200, description: 'It is gone.', schema: Removed }],
    problems: [...UNKNOWN, 'schedule_of_code'],
  },
  runSchedule: {
    tag: 'schedules',
    summary: 'Enqueue its message now',
    description: 'Its next occurrence stays, and a paused one can be run.',
    repeatable: true,
    answers: [
      { status: 202, description: 'It is stored.', schema: Receipt, headers: ['Idempotent-Replayed'] },
      {
        status: 200,
        description: 'Its dedup key was taken.',
        schema: Duplicate,
        headers: ['Idempotent-Replayed'],
      },
    ],
    problems: [...UNKNOWN, 'invalid_message', 'too_large', 'invalid_idempotency_key', 'idempotency_key_reused'],
  },
  pauseSchedule: {
    tag: 'schedules',
    summary: 'Let its occurrences pass',
    answers: reported('It is paused.'),
    problems: UNKNOWN,
  },
  resumeSchedule: {
    tag: 'schedules',
    summary: 'Fire its occurrences again, from the next one on',
    answers: reported('It is active.'),
    problems: UNKNOWN,
  },
} satisfies Operations;
