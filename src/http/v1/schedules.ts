/** The edge function for schedules: look, put, remove, run, pause, resume. */
import type { Context } from 'hono';
import type { Refused } from '../../schedules/admin.ts';
import { definitionOf, SCHEDULE_ID, ScheduleRequest } from '../../schedules/definition.ts';
import type { EdgeFunction, SluiceEnv } from '../app.ts';
import { allow, isPermitted, permit } from '../auth.ts';
import { limitBody, readQuery, readValid, requestName } from '../body.ts';
import { outliving } from '../outliving.ts';
import { Problem, type ProblemCode, unknown } from '../problem.ts';
import { SchedulesPage } from './schedule-schema.ts';

export const schedules: EdgeFunction = (app) => {
  app.get('/v1/schedules', allow('operate'), async (c) => {
    const { limit, cursor } = readQuery(c, SchedulesPage);
    return c.json(await c.var.engine.schedules.list((queue) => isPermitted(c.var.token, queue), limit, cursor));
  });

  app.get('/v1/schedules/:schedule', allow('operate'), async (c) => {
    return c.json(found(c, await c.var.engine.schedules.get(idOf(c), permitting(c))));
  });

  app.put('/v1/schedules/:schedule', allow('operate'), limitBody, async (c) => {
    const definition = definitionOf(await readValid(c, ScheduleRequest));
    return c.json(found(c, await c.var.engine.schedules.put(idOf(c), definition, permitting(c))));
  });

  app.delete('/v1/schedules/:schedule', allow('operate'), async (c) => {
    found(c, await c.var.engine.schedules.remove(idOf(c), permitting(c)));
    return c.json({ id: idOf(c), removed: true });
  });

  app.post('/v1/schedules/:schedule/run', allow('operate'), async (c) => {
    const { engine } = c.var;
    const draft = found(c, await engine.schedules.draft(idOf(c), permitting(c)));
    const { receipts, repeated } = await outliving(c, engine.enqueue([draft], await requestName(c)));
    if (repeated) c.header('Idempotent-Replayed', 'true');
    return c.json(receipts[0], receipts[0]?.duplicate ? 200 : 202);
  });

  app.post('/v1/schedules/:schedule/pause', allow('operate'), async (c) => {
    return c.json(found(c, await c.var.engine.schedules.pause(idOf(c), permitting(c))));
  });

  app.post('/v1/schedules/:schedule/resume', allow('operate'), async (c) => {
    return c.json(found(c, await c.var.engine.schedules.resume(idOf(c), permitting(c))));
  });
};

const PROBLEM_OF: Record<Exclude<Refused, 'unknown'>, ProblemCode> = {
  code: 'schedule_of_code',
  full: 'too_many_schedules',
};

function found<Answer>(c: Context<SluiceEnv>, answer: Answer | Refused): Exclude<Answer, Refused> {
  if (answer === 'unknown') throw unknown('unknown_schedule', c.req.param('schedule'));
  if (typeof answer === 'string' && answer in PROBLEM_OF)
    throw new Problem(PROBLEM_OF[answer as keyof typeof PROBLEM_OF]);
  return answer as Exclude<Answer, Refused>;
}

const permitting = (c: Context<SluiceEnv>) => (queue: string) => permit(c.var.token, queue);

function idOf(c: Context<SluiceEnv>): string {
  const id = c.req.param('schedule') ?? '';
  if (!SCHEDULE_ID.test(id)) throw unknown('unknown_schedule', id);
  return id;
}
