/** The routes of schedules, for the document. */

import { ScheduleRequest } from '../../schedules/definition.ts';
import type { ProblemCode } from '../problem.ts';
import { SchedulesPage } from '../v1/schedule-schema.ts';
import { answers } from './answers.ts';
import { OF_BODIES, type Route } from './route.ts';

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

const ONE = { path: '/v1/schedules/{schedule}', tag: 'schedules', scope: 'operate' } as const;

const reported = (description: string): Route['answers'] => [
  { status: 200, description, schema: answers.ScheduleReport, example: SCHEDULE },
];

const UNKNOWN: ProblemCode[] = ['unknown_schedule'];

export const SCHEDULES: Route[] = [
  {
    method: 'get',
    path: '/v1/schedules',
    operationId: 'listSchedules',
    tag: 'schedules',
    scope: 'operate',
    summary: 'The schedules whose queue the token is for, page by page',
    description: 'In no order. A page may be short and still not be the last.',
    query: SchedulesPage,
    answers: [{ status: 200, description: 'A page.', schema: answers.SchedulePage }],
    problems: ['invalid_message'],
  },
  {
    ...ONE,
    method: 'get',
    operationId: 'getSchedule',
    summary: 'A schedule and its next slots',
    answers: reported('The schedule.'),
    problems: UNKNOWN,
  },
  {
    ...ONE,
    method: 'put',
    operationId: 'putSchedule',
    summary: 'Make a schedule, or change it',
    description:
      'Repeated it changes nothing. The next slot is kept where the timing stays; a slot that has come and is not fired yet is fired still.',
    body: {
      schema: ScheduleRequest,
      example: { cron: '0 2 * * *', tz: 'Europe/Berlin', queue: 'reports', body: { report: 'daily' } },
    },
    answers: reported('It stands.'),
    problems: [...OF_BODIES, 'schedule_of_code', 'too_many_schedules'],
  },
  {
    ...ONE,
    method: 'delete',
    operationId: 'deleteSchedule',
    summary: 'Remove a schedule',
    description: 'Messages that it has made stay.',
    answers: [{ status: 200, description: 'It is gone.', schema: answers.Removed }],
    problems: [...UNKNOWN, 'schedule_of_code'],
  },
  {
    ...ONE,
    method: 'post',
    path: '/v1/schedules/{schedule}/run',
    operationId: 'runSchedule',
    summary: 'Enqueue its message now',
    description: 'Its next slot stays, and a paused one can be run.',
    repeatable: true,
    answers: [
      { status: 202, description: 'It is stored.', schema: answers.Receipt, headers: ['Idempotent-Replayed'] },
      {
        status: 200,
        description: 'Its dedup key was taken.',
        schema: answers.Duplicate,
        headers: ['Idempotent-Replayed'],
      },
    ],
    problems: [...UNKNOWN, 'invalid_message', 'too_large', 'invalid_idempotency_key', 'idempotency_key_reused'],
  },
  {
    ...ONE,
    method: 'post',
    path: '/v1/schedules/{schedule}/pause',
    operationId: 'pauseSchedule',
    summary: 'Let its slots pass',
    answers: reported('It is paused.'),
    problems: UNKNOWN,
  },
  {
    ...ONE,
    method: 'post',
    path: '/v1/schedules/{schedule}/resume',
    operationId: 'resumeSchedule',
    summary: 'Fire its slots again, from the next one on',
    answers: reported('It is active.'),
    problems: UNKNOWN,
  },
];
