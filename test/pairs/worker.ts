// A Worker with a queue of each kind, and a schedule in code for each: what goes in has to come out at the receiver, or by receive.
import { enqueue } from '../../functions/enqueue.ts';
import { inspect } from '../../functions/inspect.ts';
import { operate } from '../../functions/operate.ts';
import { receive } from '../../functions/receive.ts';
import { schedules } from '../../functions/schedules.ts';
import { topics } from '../../functions/topics.ts';
import { createSluice, defineSchedule } from '../../src/index.ts';
import { kinds, optionsOf } from './kinds.ts';

export default createSluice<{ RECEIVER: string }>({
  queues: Object.values(kinds).map(({ queue }) => queue),
  schedules: Object.entries(kinds).map(([kind, { queue }]) =>
    defineSchedule(`code-${kind}`, { every: '1s', queue, body: { from: 'code' }, ...optionsOf(kind, 'code') }),
  ),
  functions: [enqueue, receive, operate, inspect, schedules, topics],
});
