// A Worker with a queue of each kind, and a schedule in code for each: what goes in has to come out at the receiver, or by receive.
import { enqueue } from '../../src/http/v1/enqueue.ts';
import { inspect } from '../../src/http/v1/inspect.ts';
import { operate } from '../../src/http/v1/operate.ts';
import { receive } from '../../src/http/v1/receive.ts';
import { schedules } from '../../src/http/v1/schedules.ts';
import { topics } from '../../src/http/v1/topics.ts';
import { createSluice, defineSchedule } from '../../src/index.ts';
import { kinds, optionsOf } from './kinds.ts';

export default createSluice<{ RECEIVER: string }>({
  queues: Object.values(kinds).map(({ queue }) => queue),
  schedules: Object.entries(kinds).map(([kind, { queue }]) =>
    defineSchedule(`code-${kind}`, { every: '1s', queue, body: { from: 'code' }, ...optionsOf(kind, 'code') }),
  ),
  functions: [enqueue, receive, operate, inspect, schedules, topics],
});
