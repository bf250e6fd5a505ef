// A Worker with a queue of each kind, and a schedule in code for each: what goes in has to come out at the receiver, or by receive.
import { api } from '../../src/http/functions.ts';
import { createSluice, defineSchedule } from '../../src/index.ts';
import { kinds, optionsOf } from './kinds.ts';

export default createSluice<{ RECEIVER: string }>({
  queues: Object.values(kinds).map(({ queue }) => queue),
  schedules: Object.entries(kinds).map(([kind, { queue }]) =>
    defineSchedule(`code-${kind}`, { every: '1s', queue, body: { from: 'code' }, ...optionsOf(kind, 'code') }),
  ),
  functions: api,
});
