/** Schedules: look, put, remove, run, pause, resume. */
import type { Context } from 'hono';
import * as z from 'zod/mini';
import type { Receipt } from '../../broker/producer.ts';
import { openSchedules, type ScheduleRefusal, type Schedules } from '../../schedules/admin.ts';
import { makeDefinition, SCHEDULE_ID, ScheduleRequest } from '../../schedules/definition.ts';
import { features } from '../../schedules/features.ts';
import { openSchedulesOn } from '../../schedules/fleet-store.ts';
import { canUseQueue, requireQueue } from '../auth.ts';
import { readIdempotencyKey } from '../body.ts';
import type { SluiceEnv } from '../context.ts';
import { outliving } from '../outliving.ts';
import { cursorSchema, pageLimit } from '../page-query.ts';
import { Problem, type ProblemCode, unknown } from '../problem.ts';
import { route } from '../route.ts';
import type { Wire } from './wire.ts';

export const params = { schedule: SCHEDULE_ID };

const SchedulesPage = z.strictObject({
  limit: pageLimit(100, 20),
  /** As HSCAN makes them. */
  cursor: cursorSchema(/^\d{1,20}$/, '0'),
});

export const listSchedules = route(
  'GET /v1/schedules',
  { scope: 'admin', query: SchedulesPage },
  async (c, { query }): Promise<Wire<'SchedulePage'>> => {
    const { limit, cursor } = query();
    return openSchedulesFor(c).list((queue) => canUseQueue(c.get('token'), queue), limit, cursor);
  },
);

export const getSchedule = route(
  'GET /v1/schedules/:schedule',
  { scope: 'admin' },
  async (c): Promise<Wire<'ScheduleReport'>> => found(c, await openSchedulesFor(c).get(readId(c), permitting(c))),
);

export const putSchedule = route(
  'PUT /v1/schedules/:schedule',
  { scope: 'admin', body: ScheduleRequest },
  async (c, { body }): Promise<Wire<'ScheduleReport'>> => {
    const definition = makeDefinition(await body());
    return found(c, await openSchedulesFor(c).put(readId(c), definition, permitting(c)));
  },
);

export const deleteSchedule = route(
  'DELETE /v1/schedules/:schedule',
  { scope: 'admin' },
  async (c): Promise<Wire<'Removed'>> => {
    found(c, await openSchedulesFor(c).remove(readId(c), permitting(c)));
    return { id: readId(c), removed: true };
  },
);

export const runSchedule = route(
  'POST /v1/schedules/:schedule/run',
  { scope: 'admin' },
  async (c): Promise<Wire<'Receipt' | 'Duplicate'>> => {
    const { engine } = c.var;
    const input = found(c, await openSchedulesFor(c).input(readId(c), permitting(c)));
    const { receipts, replayed } = await outliving(c, engine.enqueue([input], await readIdempotencyKey(c)));
    if (replayed) c.header('Idempotent-Replayed', 'true');
    const [receipt] = receipts as [Receipt];
    c.status(receipt.duplicate ? 200 : 202);
    return receipt;
  },
);

export const pauseSchedule = route(
  'POST /v1/schedules/:schedule/pause',
  { scope: 'admin' },
  async (c): Promise<Wire<'ScheduleReport'>> => found(c, await openSchedulesFor(c).pause(readId(c), permitting(c))),
);

export const resumeSchedule = route(
  'POST /v1/schedules/:schedule/resume',
  { scope: 'admin' },
  async (c): Promise<Wire<'ScheduleReport'>> => found(c, await openSchedulesFor(c).resume(readId(c), permitting(c))),
);

export const schedules = Object.assign(
  [listSchedules, getSchedule, putSchedule, deleteSchedule, runSchedule, pauseSchedule, resumeSchedule],
  { features },
);

function openSchedulesFor({ var: { engine } }: Context<SluiceEnv>): Schedules {
  const ids = new Set(engine.parts.schedules.map(({ id }) => id));
  return openSchedules(openSchedulesOn(engine.fleet), { queues: engine.queues, ids });
}

const PROBLEM_OF: Record<Exclude<ScheduleRefusal, 'unknown'>, ProblemCode> = {
  code: 'schedule_of_code',
  full: 'too_many_schedules',
};

function found<Answer>(c: Context<SluiceEnv>, answer: Answer | ScheduleRefusal): Exclude<Answer, ScheduleRefusal> {
  if (answer === 'unknown') throw unknown('unknown_schedule', c.req.param('schedule'));
  if (typeof answer === 'string' && answer in PROBLEM_OF)
    throw new Problem(PROBLEM_OF[answer as keyof typeof PROBLEM_OF]);
  return answer as Exclude<Answer, ScheduleRefusal>;
}

const permitting = (c: Context<SluiceEnv>) => (queue: string) => requireQueue(c.get('token'), queue);

function readId(c: Context<SluiceEnv>): string {
  const id = c.req.param('schedule') ?? '';
  if (!SCHEDULE_ID.test(id)) throw unknown('unknown_schedule', id);
  return id;
}
